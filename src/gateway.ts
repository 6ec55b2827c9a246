import { Operations } from "../gen/google/longrunning/operations_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { OperationWatcher } from "../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Config } from "./config/config.ts";
import { CUT_HEADER, REQUEST_ID_HEADER } from "./errors/fit.ts";
import { UPSTREAM_REQUEST_ID_HEADER, UPSTREAM_STATUS_HEADER } from "./errors/from-upstream.ts";
import { LAYER_HEADER } from "./errors/reasons.ts";
import { openBackend } from "./gateway/backend.ts";
import { drain } from "./gateway/drain.ts";
import { addGauges } from "./gateway/gauges.ts";
import { observerStages } from "./gateway/observer-stages.ts";
import type { GatewayParts } from "./gateway/parts.ts";
import { openTls, renewKeyPair } from "./gateway/tls.ts";
import { registry } from "./lib/any-registry.ts";
import { collectAll, DepartedStreams } from "./lib/departed-streams.ts";
import { startListener } from "./listen/listener.ts";
import { AccessLog } from "./observe/access-log.ts";
import { BugLog } from "./observe/bug-log.ts";
import { Metrics } from "./observe/metrics.ts";
import { CANCEL_OUTCOME_HEADER, createOperationsHandlers } from "./operations/operations-service.ts";
import { createWatcherHandlers } from "./operations/watcher-service.ts";
import { createCorsPolicy } from "./rpc/cors/policy.ts";
import { defineService } from "./rpc/handler.ts";
import { createRouter } from "./rpc/router.ts";
import { createHealthHandlers } from "./services/health.ts";
import { HealthState } from "./services/health-state.ts";
import { createMetricsPage } from "./services/metrics-page.ts";
import { createProbes, type ReadinessCheck } from "./services/probes.ts";
import { reflectionRoutes } from "./services/reflection.ts";
import { WaitingEngine } from "./waiting/engine.ts";

/** A gateway that listens. */
export interface RunningGateway {
  /** `host:port` that is really listened on, or `unix:/path`. */
  readonly address: string;
  /** Ends it as `gateway/drain.ts` says; resolves when nothing is open any more. */
  drain(): Promise<void>;
  /** Reads certificate and key again, beside doing it when the files change; absent without TLS. */
  readonly renewKeyPair?: (() => void) | undefined;
}

/** Every name of response metadata that an answer may have; web pages may read these. */
const RESPONSE_METADATA = [
  CANCEL_OUTCOME_HEADER,
  CUT_HEADER,
  LAYER_HEADER,
  REQUEST_ID_HEADER,
  UPSTREAM_REQUEST_ID_HEADER,
  UPSTREAM_STATUS_HEADER,
];

/**
 * Makes every part, once, from the bottom of the stages to the top, and opens the port last.
 *
 * @throws ConfigurationRefused when certificate, rules or upstream settings cannot be used; Error when the port cannot
 * be had.
 */
export async function startGateway(config: Config, parts: GatewayParts): Promise<RunningGateway> {
  const { clock, random } = parts;
  const tls = openTls(config);
  const metrics = config.metrics.enabled ? new Metrics(clock, parts.metricsPeers) : undefined;
  const upstream = openBackend(config, parts, metrics);
  const { credentials } = config.upstream;
  const engine = new WaitingEngine({ api: upstream.api, clock, random, config: config.waiting, credentials });
  const health = new HealthState([Operations, OperationWatcher].map((service) => service.typeName));
  const services = [
    defineService(Operations, createOperationsHandlers(engine)),
    defineService(OperationWatcher, createWatcherHandlers(engine)),
    defineService(Health, createHealthHandlers(health)),
  ];
  const served = services.map(({ service }) => service);
  const accessLog = createAccessLog(config, parts);
  const pages = new Map(createProbes(readinessChecks(health)));
  if (metrics) pages.set("/metrics", createMetricsPage(metrics, config.metrics.expose === "all"));
  const departed = new DepartedStreams(clock, collectAll);
  const router = createRouter(services, {
    registry,
    ...(config.reflection && { routes: reflectionRoutes(served, registry) }),
    limits: { compressMinBytes: config.compressMinBytes },
    clock,
    cors: createCorsPolicy(config.cors.allowedOrigins, RESPONSE_METADATA),
    stages: observerStages(
      [accessLog, metrics, new BugLog(parts.log)].filter((observer) => observer !== undefined),
    ),
    pages,
    streamEnded: () => departed.add(),
  });
  const limits = { connectionAgeMs: config.maxConnectionAge };
  const listener = await startListener(
    {
      listen: config.listen,
      openPort: parts.openPort,
      tls,
      http1: config.http1,
      http2: config.http2,
      limits,
      clock,
      random,
    },
    router,
  );
  const renewal = tls && renewKeyPair(config, tls, parts, listener);
  const running = { config, health, listener, router, engine, upstream };
  if (metrics) addGauges(metrics, running);
  if (upstream.firstToken) void upstream.firstToken.then(() => health.serve());
  else health.serve();
  return {
    address: listener.address,
    renewKeyPair: renewal && (() => renewal.renew()),
    drain: () =>
      drain(running, parts).finally(() => {
        renewal?.stop();
        accessLog?.flush();
      }),
  };
}

function createAccessLog({ log: config }: Config, { log, clock }: GatewayParts): AccessLog | undefined {
  if (!config.access || !log.enabled("info")) return undefined;
  return new AccessLog({ clock, pid: process.pid, write: (lines) => log.write(lines) });
}

/** What `/readyz` asks. */
function readinessChecks(health: HealthState): ReadinessCheck[] {
  return [
    { name: "credentials", passed: () => health.serving || health.draining },
    { name: "not-draining", passed: () => !health.draining },
  ];
}
