import type { WaitingConfig } from "../../src/config/config.ts";
import { RpcUpstreamCall } from "../../src/operations/rpc-upstream-call.ts";
import { WaitingEngine } from "../../src/waiting/engine.ts";
import type { Authorizer } from "../../src/waiting/identity.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { type Behaviour, SimulatedUpstream } from "./simulated-upstream.ts";
import { TestCall, type TestCallOptions } from "./test-call.ts";

/** The defaults of the configuration. */
export const DEFAULTS: WaitingConfig = {
  maxWait: 3_600_000,
  heartbeat: 10_000,
  maxStreamAge: 1_800_000,
  reauthorizeInterval: 60_000,
  readsPerSecond: undefined,
  listThreshold: 10,
  maxWatches: 20_000,
  maxWatchesPerCaller: 20_000,
  maxOperations: 20_000,
  maxCollectionOperations: 5_000,
};

export interface BenchOptions {
  readonly behaviour?: Behaviour;
  readonly config?: Partial<WaitingConfig>;
  readonly credentials?: "adc" | "caller" | "none";
  readonly authorizer?: Authorizer;
  readonly seed?: number;
}

/** A whole engine on a simulated clock in front of a simulated upstream. */
export class EngineBench {
  readonly clock = new SimulatedClock();
  readonly upstream: SimulatedUpstream;
  readonly engine: WaitingEngine;

  constructor({ behaviour, config, credentials = "caller", authorizer, seed = 1 }: BenchOptions = {}) {
    this.upstream = new SimulatedUpstream(this.clock, behaviour);
    this.engine = new WaitingEngine({
      api: this.upstream,
      clock: this.clock,
      random: new SeededRandom(seed).next,
      config: { ...DEFAULTS, ...config },
      credentials,
      ...(authorizer && { authorizer }),
    });
  }

  /** A call of a caller who is known by his token. */
  readonly call = (options: Omit<TestCallOptions, "clock"> & { readonly token?: string } = {}): TestCall => {
    const { token = "t", headers, ...rest } = options;
    return new TestCall({
      clock: this.clock,
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...rest,
    });
  };

  /** The same as the reads and cancels of the engine take it. */
  readonly upstreamCall = (options: Parameters<EngineBench["call"]>[0] = {}): RpcUpstreamCall =>
    new RpcUpstreamCall(this.call(options));
}

/** The name of an operation in a dataset. */
export function operationName(id: number | string, dataset: number | string = "d", location = "l"): string {
  return `projects/p/locations/${location}/datasets/${dataset}/operations/${id}`;
}
