import { Code, ConnectError } from "@connectrpc/connect";
import type { WaitingConfig } from "../../src/config/config.ts";
import type { Call } from "../../src/rpc/call.ts";
import { EngineBench, operationName } from "../support/engine-bench.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { Behaviour, Fault, Kind } from "../support/simulated-upstream.ts";

/** Who asks. Each has a token of his own. */
export const TOKENS = ["anna", "ben", "cleo"] as const;

export type Token = (typeof TOKENS)[number];

const FAULTS: readonly Fault[] = [
  "reset",
  { status: 500, body: '{"error":{"code":500,"status":"INTERNAL","message":"oops"}}' },
  { status: 502, body: "<html>try again in 30 seconds</html>" },
  { status: 503 },
  { status: 503, headers: { "retry-after": "3" } },
  { status: 504 },
  { status: 404, body: "<html>no such page</html>" },
];

/** So long that takes at most. */
export const AUTHORIZE_MS = 500;

/** From this moment on the upstream behaves, so that everything can come to its end. */
export const CALM = 150_000;

/** So often each caller is asked for his right again, where the gateway decides. */
export const REAUTHORIZE_MS = 20_000;

/** An upstream that lies and fails as a seed decides, until {@link CALM}. */
export function randomWorld(seed: number): RandomWorld {
  const random = new SeededRandom(seed);
  const allowed = randomRights(random);
  const ownCredentials = random.chance(0.3);
  const bench: EngineBench = new EngineBench({
    seed,
    config: randomConfig(random),
    ...(ownCredentials && {
      credentials: "none",
      authorizer: { authorize: (call, name) => authorize(call, name) },
    }),
  });
  // With the gateway's own credentials the upstream lets everybody in, and the door of the gateway does not.
  bench.upstream.behaviour = randomBehaviour(random, bench, ownCredentials ? () => true : allowed);
  const revocations = ownCredentials ? randomRevocations(random) : new Map<string, number>();
  const revokedAt = (token: Token): number => revocations.get(token) ?? Number.POSITIVE_INFINITY;
  const slowly = random.pick([0, 0, AUTHORIZE_MS]);
  async function decide(token: Token, name: string): Promise<void> {
    await bench.clock.sleep(slowly);
    refuse(token, name);
  }
  function refuse(token: Token, name: string): void {
    if (!mayAttach(allowed, token, name) || bench.clock.monotonic() >= revokedAt(token))
      throw new ConnectError("the policy of this test says no", Code.PermissionDenied);
  }
  function authorize(call: Call, name: string): void | Promise<void> {
    const token = call.header("authorization")?.slice("Bearer ".length) as Token;
    return slowly > 0 ? decide(token, name) : refuse(token, name);
  }
  stepWallClock(random, bench);
  for (let dataset = 0; dataset < 2; dataset++) {
    const size = 1 + random.below(6);
    for (let id = 0; id < size; id++) {
      const ending = random.pick(["response", "response", "error", "nothing"] as const);
      bench.upstream.start(
        operationName(id, dataset),
        random.between(0, 120_000),
        ending,
        random.between(0, 60_000),
      );
    }
  }
  return Object.assign(bench, { random, allowed, ownCredentials, revokedAt, cancels: [] });
}

/** Whether a caller may watch what he names: an operation that is his, or a dataset, which is anybody's. */
export function mayAttach(allowed: Allowed, token: Token, name: string): boolean {
  return !name.includes("/operations/") || allowed(`Bearer ${token}`, name);
}

/** When the rights of some are withdrawn. */
function randomRevocations(random: SeededRandom): Map<string, number> {
  return new Map(TOKENS.filter(() => random.chance(0.3)).map((token) => [token, random.between(0, CALM)]));
}

/** Somebody sets the machine's clock. Without a `date` in its answers the upstream's cannot be told from it. */
function stepWallClock(random: SeededRandom, { clock, upstream }: EngineBench): void {
  if (upstream.behaviour.clockAhead === undefined) return;
  for (let steps = random.below(4); steps > 0; steps--)
    clock.setTimer(random.between(0, CALM), () => {
      clock.wallStart += Math.floor(random.between(-3_600_000, 3_600_000));
    });
}

/** A world with its dice, its rights, and the cancels that clients have sent through it. */
export interface RandomWorld extends EngineBench {
  readonly random: SeededRandom;
  /** Who may read what, as long as it is not withdrawn. */
  readonly allowed: Allowed;
  /** The gateway's own credentials reach the upstream, and its door tells the callers apart. */
  readonly ownCredentials: boolean;
  /** When the rights of this caller are withdrawn, on the monotonic clock; `Infinity`: never. */
  readonly revokedAt: (token: Token) => number;
  readonly cancels: Interest[];
}

/** A time in which a client had an interest in a name. */
export interface Interest {
  readonly token: Token;
  readonly name: string;
  readonly from: number;
  to: number;
}

export type Allowed = (authorization: string | undefined, name: string) => boolean;

/** The first may everything, the others leave something out. */
function randomRights(random: SeededRandom): Allowed {
  const mask = [-1, random.below(64), random.below(64)];
  return (authorization, name) => {
    const who = TOKENS.findIndex((token) => authorization === `Bearer ${token}`);
    const id = Number(name.slice(name.lastIndexOf("/") + 1));
    return who >= 0 && (mask[who]! & (1 << id)) !== 0;
  };
}

function randomConfig(random: SeededRandom): Partial<WaitingConfig> {
  return {
    heartbeat: random.between(500, 15_000),
    maxStreamAge: random.pick([20_000, 60_000, 1_800_000]),
    listThreshold: random.pick([2, 3, 20]),
    readsPerSecond: random.pick([undefined, undefined, 2, 20]),
    reauthorizeInterval: REAUTHORIZE_MS,
  };
}

function randomBehaviour(random: SeededRandom, { clock }: EngineBench, allows: Allowed): Behaviour {
  const often = random.pick([0, 0.05, 0.2, 0.5]);
  const slow = random.pick([20, 200, 800]);
  const lag = random.pick([0, 0, 3_000, 15_000]);
  const listLag = random.pick([0, 0, 5_000, 60_000]);
  const hides = random.pick([0, 0, 0.2]);
  const limit = random.pick([0, 0, 0, 3, 10]);
  const calm = () => clock.monotonic() >= CALM;
  let second = 0;
  let taken = 0;
  return {
    allows,
    pageSize: random.pick([1, 2, 3, 100]),
    clockAhead: random.pick([undefined, 0, -600_000, 3_600_000]),
    latency: () => random.between(1, slow) + (!calm() && random.chance(0.01) ? 25_000 : 0),
    fault: (kind: Kind) =>
      !calm() && random.chance(often)
        ? { fault: random.pick(FAULTS), applied: kind === "cancel" && random.chance(0.5) }
        : undefined,
    lag: (kind) => (calm() ? 0 : random.between(0, kind === "list" ? listLag : lag)),
    omits: () => !calm() && random.chance(hides),
    countersOff: () => (calm() ? 0 : Math.floor(random.between(-200, 200))),
    cancelDelay: () => random.between(0, 5_000),
    refuses: (now) => {
      if (limit === 0 || calm()) return undefined;
      const at = Math.floor(now / 1000);
      if (at !== second) [second, taken] = [at, 0];
      return taken++ < limit ? undefined : random.pick([0, 1_000, 3_000]);
    },
  };
}
