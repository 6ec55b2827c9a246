import { Operations } from "../gen/google/longrunning/operations_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { OperationWatcher } from "../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Config, UpstreamConfig } from "./config/config.ts";
import { ConfigurationRefused } from "./config/problem.ts";
import { causeOf } from "./errors/failure-facts.ts";
import { CUT_HEADER, REQUEST_ID_HEADER } from "./errors/fit.ts";
import { UPSTREAM_REQUEST_ID_HEADER, UPSTREAM_STATUS_HEADER } from "./errors/from-upstream.ts";
import { gatewayError, LAYER_HEADER } from "./errors/reasons.ts";
import { registry } from "./lib/any-registry.ts";
import type { Clock } from "./lib/clock.ts";
import { collectAll, DepartedStreams } from "./lib/departed-streams.ts";
import { type KeyPair, readKeyPair } from "./listen/key-pair.ts";
import { KeyPairRenewal } from "./listen/key-pair-renewal.ts";
import { type Listener, startListener } from "./listen/listener.ts";
import type { OpenPort } from "./listen/port.ts";
import { AccessLog } from "./observe/access-log.ts";
import { BugLog } from "./observe/bug-log.ts";
import type { Log } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import type { MetricsPeers } from "./observe/metrics-snapshot.ts";
import { CANCEL_OUTCOME_HEADER, createOperationsHandlers } from "./operations/operations-service.ts";
import { createWatcherHandlers } from "./operations/watcher-service.ts";
import { createCorsPolicy } from "./rpc/cors/policy.ts";
import { defineService } from "./rpc/handler.ts";
import { observerStages } from "./rpc/observer-stages.ts";
import { createRouter, type Router } from "./rpc/router.ts";
import { createHealthHandlers } from "./services/health.ts";
import { HealthState } from "./services/health-state.ts";
import { createMetricsPage } from "./services/metrics-page.ts";
import { createProbes, type ReadinessCheck } from "./services/probes.ts";
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
  /** Where connections come from when another process has the port. */
  readonly openPort?: OpenPort | undefined;
  /** Other processes that serve the same port, if there are any. */
  readonly metricsPeers?: MetricsPeers | undefined;
}

/** A gateway that listens. */
export interface RunningGateway {
  /** `host:port` that is really listened on, or `unix:/path`. */
  readonly address: string;
  /**
   * Says that it is leaving, and after `drain.lame_duck` takes no new connections, ends streams, lets the calls under
   * way finish and closes everything. Calls that take longer than `drain.timeout` are answered with UNAVAILABLE, and
   * what does not leave within {@link LAST_ANSWERS_MS} then is cut.
   */
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

/** After what time, on average, the callers of what a drain has ended should come back, in milliseconds. */
const REATTACH_MS = 1_000;

/** How long the answers to calls that a drain has ended may take to leave: a round trip around the planet, ms. */
const LAST_ANSWERS_MS = 300;

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
  if (metrics) addGauges(metrics, { config, router, listener, engine, upstream });
  if (upstream.firstToken) void upstream.firstToken.then(() => health.serve());
  else health.serve();
  return {
    address: listener.address,
    renewKeyPair: renewal && (() => renewal.renew()),
    drain: () =>
      drain({ config, parts, health, listener, router, engine, upstream }).finally(() => {
        renewal?.stop();
        accessLog?.flush();
      }),
  };
}

function createAccessLog({ log: config }: Config, { log, clock }: GatewayParts): AccessLog | undefined {
  if (!config.access || !log.enabled("info")) return undefined;
  return new AccessLog({ clock, pid: process.pid, write: (lines) => log.write(lines) });
}

/** What is counted by the parts themselves, and read when metrics are asked for. */
function addGauges(
  metrics: Metrics,
  { config, router, listener, engine, upstream }: Omit<Drained, "parts" | "health">,
): void {
  const add = (name: string, help: string, read: () => number | undefined) =>
    metrics.gauge(`lro_gateway_${name}`, help, read);
  add("processes", "Processes whose figures these are: one, or the workers.", () => 1);
  add("connections", "Open connections of callers.", () => listener.connections);
  add("open_calls", "Calls that are not answered yet, streams among them.", () => router.openCalls);
  add(
    "upstream_requests",
    "Requests to the upstream that are under way or wait for a connection.",
    upstream.load,
  );
  if (config.upstream.credentials === "adc")
    metrics.gauge(
      "lro_gateway_upstream_token_remaining_seconds",
      "Time until the gateway's own token expires.",
      () => {
        const ms = upstream.tokenRemainingMs();
        return ms === undefined ? undefined : ms / 1_000;
      },
      "min",
    );
  add("watches", "Waits and watches under way.", () => engine.stats.watches);
  add("tracked_operations", "Operations that are polled for them.", () => engine.stats.operations);
  add(
    "watched_collections",
    "Datasets whose operations are watched as a whole.",
    () => engine.stats.collections,
  );
  add("shared_reads", "Reads under way that several calls may share.", () => engine.stats.reads);
  add("cancels", "Cancels whose outcome is being found out.", () => engine.stats.cancels);
  add("cached_operations", "Finished operations that are answered from memory.", () => engine.stats.cached);
}

/** What `/readyz` asks. */
function readinessChecks(health: HealthState): ReadinessCheck[] {
  return [
    { name: "credentials", passed: () => health.serving || health.draining },
    { name: "not-draining", passed: () => !health.draining },
  ];
}

/** What a drain ends. */
interface Drained {
  readonly config: Config;
  readonly parts: GatewayParts;
  readonly health: HealthState;
  readonly listener: Listener;
  readonly router: Router;
  readonly engine: WaitingEngine;
  readonly upstream: Upstream;
}

/** Ends everything in the order in which nobody loses a call: {@link RunningGateway.drain}. */
async function drain({ config, parts, health, listener, router, engine, upstream }: Drained): Promise<void> {
  const { clock, random } = parts;
  health.drain();
  await sleep(clock, config.drain.lameDuck);
  const timeout = sleep(clock, config.drain.timeout);
  const connectionsGone = listener.drain();
  const draining = () =>
    gatewayError("GATEWAY_DRAINING", "the gateway is shutting down; call again", {
      // Spread, so that the callers of this replica do not reach the next one in the same instant.
      retryDelayMs: REATTACH_MS * (0.5 + random()),
    });
  router.endStreams(draining);
  // Waits are answered with what is known: their callers ask again, elsewhere.
  engine.drain();
  await Promise.race([connectionsGone, timeout]);
  router.endCalls(draining);
  // A reset would tell nobody that the call may be sent again.
  await Promise.race([connectionsGone, sleep(clock, LAST_ANSWERS_MS)]);
  await listener.close();
  await Promise.race([upstream.close(), timeout]);
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms === 0) resolve();
    else clock.setTimer(ms, resolve);
  });
}

/** TLS as the listener takes it, from files that were found to be right. */
type OpenTls = KeyPair & { readonly required: boolean };

/** What the port needs for TLS; `undefined` without a certificate. Throws {@link ConfigurationRefused}. */
export function openTls({ tls }: Config): OpenTls | undefined {
  if (tls.certificate === undefined || tls.key === undefined) return undefined;
  const read = readKeyPair(tls.certificate, tls.key);
  if ("cert" in read) return { ...read, required: tls.required };
  throw new ConfigurationRefused([{ where: "default", path: `tls.${read.file}`, message: read.problem }]);
}

/** Compiles the rules and opens the upstream: all that can be refused before the port is opened. */
export function openBackend(
  { upstream: config }: Config,
  parts: GatewayParts,
  metrics?: Pick<Metrics, "upstreamRequest">,
): Upstream {
  const { endpoint = "" } = config;
  const bindings = compileRules(config);
  for (const { source, line, path, reason } of bindings.warnings)
    parts.log.warn("an HTTP rule is left out", { source, line, path, reason });
  const upstream = openUpstream(
    { ...config, endpoint },
    {
      ...parts,
      transcoder: bindings,
      ...(metrics && { onAttempt: (verb, outcome, ms) => metrics.upstreamRequest(verb, outcome, ms) }),
      onTokenFailure: (failure) =>
        parts.log.warn("no token for the upstream", {
          kind: failure.kind,
          detail: failure.message,
          cause: causeOf(failure),
        }),
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

/** Keeps the pair that is shown as it is in its files. */
function renewKeyPair(
  { tls }: Config,
  current: KeyPair,
  { clock, log }: GatewayParts,
  listener: Listener,
): KeyPairRenewal {
  return new KeyPairRenewal({
    certificateFile: tls.certificate ?? "",
    keyFile: tls.key ?? "",
    current,
    clock,
    log,
    use: (pair) => listener.useKeyPair(pair),
  });
}
