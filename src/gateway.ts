import { Operations } from "../gen/google/longrunning/operations_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { OperationWatcher } from "../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Config, UpstreamConfig } from "./config/config.ts";
import { ConfigurationRefused } from "./config/problem.ts";
import { CUT_HEADER } from "./errors/fit.ts";
import { UPSTREAM_REQUEST_ID_HEADER, UPSTREAM_STATUS_HEADER } from "./errors/from-upstream.ts";
import { gatewayError, LAYER_HEADER } from "./errors/reasons.ts";
import { registry } from "./lib/any-registry.ts";
import type { Clock } from "./lib/clock.ts";
import { startListener } from "./listen/listener.ts";
import type { Log } from "./observe/log.ts";
import { CANCEL_OUTCOME_HEADER, createOperationsHandlers } from "./operations/operations-service.ts";
import { createWatcherHandlers } from "./operations/watcher-service.ts";
import { createCorsPolicy } from "./rpc/cors.ts";
import { defineService } from "./rpc/handler.ts";
import { createRouter, type Router } from "./rpc/router.ts";
import { createHealthHandlers } from "./services/health.ts";
import { HealthState } from "./services/health-state.ts";
import { reflectionRoutes } from "./services/reflection.ts";
import type { Bindings } from "./transcode/bindings.ts";
import { loadBindings } from "./transcode/load-bindings.ts";
import { openUpstream, type Upstream } from "./upstream/open-upstream.ts";
import { WaitingEngine } from "./waiting/engine.ts";

/** What the gateway takes from its process. */
export interface GatewayParts {
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** Version of the gateway, for `user-agent`. */
  readonly version: string;
}

/** A gateway that listens. */
export interface RunningGateway {
  /** `host:port` that is really listened on, or `unix:/path`. */
  readonly address: string;
  /** Ends streams, lets calls that are under way finish, closes everything. Resolves within {@link DRAIN_MS}. */
  drain(): Promise<void>;
}

/** Every name of response metadata that an answer may have; web pages may read these. */
const RESPONSE_METADATA = [
  CANCEL_OUTCOME_HEADER,
  CUT_HEADER,
  LAYER_HEADER,
  UPSTREAM_REQUEST_ID_HEADER,
  UPSTREAM_STATUS_HEADER,
];

/** How long calls under way may take to finish once the gateway is told to stop. */
const DRAIN_MS = 10_000;

/** How often a drain looks whether the last call has finished. */
const DRAIN_LOOK_MS = 20;

/**
 * Makes every part, once, from the bottom of the stages to the top, and opens the port last.
 *
 * @throws ConfigurationRefused when rules or upstream settings cannot be used; Error when the port cannot be had.
 */
export async function startGateway(config: Config, parts: GatewayParts): Promise<RunningGateway> {
  const upstream = openBackend(config, parts);
  const { clock, random } = parts;
  const { credentials } = config.upstream;
  const engine = new WaitingEngine({ api: upstream.api, clock, random, config: config.waiting, credentials });
  const health = new HealthState([Operations, OperationWatcher].map((service) => service.typeName));
  const services = [
    defineService(Operations, createOperationsHandlers(upstream.api, engine)),
    defineService(OperationWatcher, createWatcherHandlers(engine)),
    defineService(Health, createHealthHandlers(health)),
  ];
  const routes = reflectionRoutes(
    services.map(({ service }) => service),
    registry,
  );
  const cors = createCorsPolicy(config.cors.allowedOrigins, RESPONSE_METADATA);
  const router = createRouter(services, { registry, routes, clock, cors });
  const listener = await startListener({ listen: config.listen, clock }, router);
  health.serve();
  return {
    address: listener.address,
    async drain() {
      health.drain();
      router.endStreams(
        gatewayError("GATEWAY_DRAINING", "the gateway is shutting down; call again", { retryDelayMs: 1_000 }),
      );
      // Waits are answered with what is known: their callers ask again, elsewhere.
      engine.drain();
      await callsFinished(router, clock);
      await listener.close();
      await upstream.close();
    },
  };
}

/** Resolves when no call is open, or after {@link DRAIN_MS}. */
function callsFinished(router: Router, clock: Clock): Promise<void> {
  const end = clock.monotonic() + DRAIN_MS;
  return new Promise((resolve) => {
    const look = (): void => {
      if (router.openCalls === 0 || clock.monotonic() >= end) resolve();
      else clock.setTimer(DRAIN_LOOK_MS, look);
    };
    look();
  });
}

/** Compiles the rules and opens the upstream: all that can be refused before the port is opened. */
export function openBackend({ upstream: config }: Config, parts: GatewayParts): Upstream {
  const { endpoint = "" } = config;
  const bindings = compileRules(config);
  for (const { source, line, path, reason } of bindings.warnings)
    parts.log.warn("an HTTP rule is left out", { source, line, path, reason });
  const upstream = openUpstream(
    { ...config, endpoint },
    {
      ...parts,
      transcoder: bindings,
      onTokenFailure: (error) => parts.log.warn("no token for the upstream", { error }),
    },
  );
  if ("api" in upstream) return upstream;
  throw new ConfigurationRefused(
    upstream.problems.map(({ path, message }) =>
      // The proxies have no keys of their own; their variables stand for them.
      path.includes(".") ? { where: "default", path, message } : { where: path, path: undefined, message },
    ),
  );
}

/** Reads and compiles the HTTP rules that the configuration asks for. Throws {@link ConfigurationRefused}. */
export function compileRules(config: UpstreamConfig): Bindings {
  const bindings = loadBindings(config);
  if (bindings.ok) return bindings.value;
  throw new ConfigurationRefused(
    bindings.problems.map(({ source, line, path, selector, reason, allowed }) => ({
      where: line === undefined ? source : `${source}:${line}`,
      path: [path, selector].filter(Boolean).join(" of ") || undefined,
      message: allowed === undefined ? reason : `${reason} (allowed: ${allowed})`,
    })),
  );
}
