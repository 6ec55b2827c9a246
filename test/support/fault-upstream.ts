import type { UpstreamConfig } from "../../src/config/config.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { openUpstream, type Upstream } from "../../src/upstream/open-upstream.ts";
import type { TokenFailure } from "../../src/upstream/token-source.ts";
import { healthcareBindings } from "./bindings.ts";
import { FaultServer, type Script } from "./fault-server.ts";

/** A fault server and an upstream stage that talks to it. */
export interface FaultUpstream extends AsyncDisposable {
  readonly server: FaultServer;
  readonly upstream: Upstream;
  readonly tokenFailures: TokenFailure[];
  /** The requests so far as `VERB path` without version and parent. */
  lines(): string[];
}

export const DATASET = "projects/p/locations/l/datasets/d";
export const OPERATION = `${DATASET}/operations/1`;

export async function startFaultUpstream(
  script: Script,
  config: Partial<Omit<UpstreamConfig, "endpoint">> = {},
  clock: Clock = systemClock,
): Promise<FaultUpstream> {
  const server = await FaultServer.start(script);
  const tokenFailures: TokenFailure[] = [];
  const upstream = open({ endpoint: server.origin, ...config }, clock, (failure) =>
    tokenFailures.push(failure),
  );
  return {
    server,
    upstream,
    tokenFailures,
    lines: () =>
      server.requests.map(({ method, path }) => `${method} ${path.replace(`/v1beta1/${DATASET}/`, "")}`),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await upstream.close();
    },
  };
}

/** Opens an upstream; the test fails with the problems when it cannot be opened. */
export function open(
  config: Partial<UpstreamConfig> & { endpoint: string },
  clock: Clock = systemClock,
  onTokenFailure: (failure: TokenFailure) => void = () => {},
): Upstream {
  const upstream = openUpstream(
    { apiVersion: "v1beta1", credentials: "none", rules: undefined, ...config },
    { transcoder: healthcareBindings(), clock, random: () => 0, version: "9.9.9", onTokenFailure },
  );
  if ("problems" in upstream) throw new Error(JSON.stringify(upstream.problems));
  return upstream;
}
