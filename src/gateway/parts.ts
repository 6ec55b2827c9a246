import type { Config } from "../config/config.ts";
import type { Clock } from "../lib/clock.ts";
import type { Listener } from "../listen/listener.ts";
import type { OpenPort } from "../listen/port.ts";
import type { Log } from "../observe/log.ts";
import type { MetricsPeers } from "../observe/metrics-snapshot.ts";
import type { Router } from "../rpc/router.ts";
import type { HealthState } from "../services/health-state.ts";
import type { Upstream } from "../upstream/open-upstream.ts";
import type { WaitingEngine } from "../waiting/engine.ts";

/** What the gateway takes from its process. */
export interface GatewayParts {
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** Version of the gateway, for `user-agent`. */
  readonly version: string;
  /** Where connections come from when another process has the port. */
  readonly openPort?: OpenPort | undefined;
  /** Other processes that serve the same port, if there are any. */
  readonly metricsPeers?: MetricsPeers | undefined;
}

/** What a gateway that listens is made of. */
export interface RunningParts {
  readonly config: Config;
  readonly health: HealthState;
  readonly listener: Listener;
  readonly router: Router;
  readonly engine: WaitingEngine;
  readonly upstream: Upstream;
}
