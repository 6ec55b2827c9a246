import type { ConnectError } from "@connectrpc/connect";
import type { Metric, Registry } from "prom-client";
import type { Clock } from "../lib/clock.ts";
import { codeName } from "../lib/code-names.ts";
import { CALL_BOUNDS, Histogram, LONG_CALL_BOUNDS, type Series } from "./histogram.ts";
import type { MetricsPeers, MetricsSnapshot } from "./metrics-snapshot.ts";
import {
  type CallObserver,
  type HttpRefused,
  isLong,
  type ObservedCall,
  type ObservedRefusal,
  UNOBSERVED_SERVICES,
} from "./observed-call.ts";

/** Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** How the values that several processes have of one gauge become one. */
export type GaugeOfMany = "sum" | "min";

/** A value that is asked for when the metrics are. */
interface GaugeSource {
  readonly name: string;
  readonly help: string;
  readonly aggregator: GaugeOfMany;
  readonly read: () => number | undefined;
}

/** google.rpc codes are 0 to 16. */
const CODES = 17;
const OK = 0;

/**
 * The metrics of the process, under the names of the OpenTelemetry RPC and HTTP conventions 1.45 in Prometheus' spelling.
 * Labels are words of ours: no project, dataset, operation or caller, of which there is no end and which may name a
 * patient.
 */
export class Metrics implements CallObserver {
  /** For {@link render}. */
  readonly contentType = CONTENT_TYPE;
  readonly #clock: Clock;
  readonly #peers: MetricsPeers | undefined;
  readonly #gauges: GaugeSource[] = [];
  readonly #calls = new Histogram(
    "rpc_server_call_duration_seconds",
    "Duration of calls, from their header block to their answer.",
    CALL_BOUNDS,
  );
  readonly #longCalls = new Histogram(
    "lro_gateway_long_call_duration_seconds",
    "Duration of waits and streams, which last as long as their callers want, to their end.",
    LONG_CALL_BOUNDS,
  );
  readonly #requests = new Histogram(
    "http_client_request_duration_seconds",
    "Duration of requests to the upstream, each attempt of its own.",
    CALL_BOUNDS,
  );
  readonly #callSeries = new WeakMap<ObservedCall["method"], (Series | undefined)[]>();
  readonly #requestSeries = new Map<string, Series>();
  readonly #refusedSeries = new Map<string, Series>();
  #opened: Promise<OpenRegistry> | undefined;

  /** @param peers The other processes that serve the same port, whose figures are shown together with these. */
  constructor(clock: Clock, peers?: MetricsPeers) {
    this.#clock = clock;
    this.#peers = peers;
    peers?.share(() => this.#snapshot());
  }

  finished(call: ObservedCall, error: ConnectError | undefined): void {
    const { method } = call;
    const code = error === undefined ? OK : error.code;
    if (UNOBSERVED_SERVICES.has(method.parent.typeName)) return;
    let all = this.#callSeries.get(method);
    if (all === undefined) {
      all = Array.from({ length: 2 * CODES });
      this.#callSeries.set(method, all);
    }
    const connect = call.protocol === "connect";
    const at = connect ? CODES + code : code;
    let series = all[at];
    if (series === undefined) {
      const system = connect ? "connectrpc" : "grpc";
      const histogram = isLong(method) ? this.#longCalls : this.#calls;
      series = histogram.series(rpcLabels(system, `${method.parent.typeName}/${method.name}`, code));
      all[at] = series;
    }
    series.observe((this.#clock.monotonic() - call.openedAt) / 1_000);
  }

  refused(_request: ObservedRefusal, why: HttpRefused | ConnectError): void {
    const verdict = "httpStatus" in why ? String(why.httpStatus) : codeName(why.code);
    let series = this.#refusedSeries.get(verdict);
    if (series === undefined) {
      const labels = { rpc_method: "_OTHER", rpc_status_code: verdict };
      series = this.#calls.series(withErrorType(labels, verdict));
      this.#refusedSeries.set(verdict, series);
    }
    series.observe(0);
  }

  /** An attempt at the upstream: `outcome` is an HTTP status, or a word for why there was none. */
  upstreamRequest(verb: string, outcome: number | string, ms: number): void {
    const key = `${verb} ${outcome}`;
    let series = this.#requestSeries.get(key);
    if (series === undefined) {
      const answered = typeof outcome === "number";
      series = this.#requests.series({
        http_request_method: verb,
        ...(answered && { http_response_status_code: String(outcome) }),
        ...((!answered || outcome >= 400) && { error_type: String(outcome) }),
      });
      this.#requestSeries.set(key, series);
    }
    series.observe(ms / 1_000);
  }

  /** Adds a value that is asked for when the metrics are; `undefined`: none now. */
  gauge(name: string, help: string, read: () => number | undefined, aggregator: GaugeOfMany = "sum"): void {
    const source = { name, help, read, aggregator };
    this.#gauges.push(source);
    // A scrape of another worker may ask before this one has started completely.
    void this.#opened?.then(({ addGauge }) => addGauge(source));
  }

  /** Everything in Prometheus' text format, of all processes that serve the port. */
  async render(): Promise<string> {
    const { registry, sumOf } = await this.#open();
    if (!this.#peers) return await registry.metrics();
    return await sumOf(await this.#peers.gather(await this.#snapshot()));
  }

  async #snapshot(): Promise<MetricsSnapshot> {
    const { registry } = await this.#open();
    // prom-client's types lack the names of a histogram's samples, and have numbers for the words of `type`.
    return (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot;
  }

  /** The first scrape loads prom-client: no process starts later, and serves its first calls later, for it. */
  #open(): Promise<OpenRegistry> {
    this.#opened ??= openRegistry([this.#calls, this.#longCalls, this.#requests], [...this.#gauges]);
    return this.#opened;
  }
}

/** What prom-client has made of the metrics. */
interface OpenRegistry {
  readonly registry: Registry;
  addGauge(gauge: GaugeSource): void;
  /** The text of several processes' metrics as one. */
  sumOf(snapshots: readonly MetricsSnapshot[]): Promise<string>;
}

async function openRegistry(
  histograms: readonly Histogram[],
  gauges: readonly GaugeSource[],
): Promise<OpenRegistry> {
  const { default: prom } = await import("prom-client");
  const registry = new prom.Registry();
  // prom-client's type is that of its own classes; it asks for name, get and reset only.
  for (const histogram of histograms) registry.registerMetric(histogram as unknown as Metric);
  const addGauge = ({ name, help, aggregator, read }: GaugeSource): void => {
    new prom.Gauge({
      name,
      help,
      aggregator,
      registers: [registry],
      collect() {
        this.set(read() ?? Number.NaN);
      },
    });
  };
  for (const gauge of gauges) addGauge(gauge);
  prom.collectDefaultMetrics({ register: registry });
  return {
    registry,
    addGauge,
    // Its type asks for an object where its code, and its documentation, have an array.
    sumOf: (snapshots) => prom.AggregatorRegistry.aggregate(snapshots as unknown as object[]).metrics(),
  };
}

function rpcLabels(system: string, method: string, code: number): Record<string, string> {
  const status = codeName(code);
  const labels = { rpc_system_name: system, rpc_method: method, rpc_status_code: status };
  return withErrorType(labels, status);
}

/**
 * Codes that count as errors of a server; with the others it did what it should
 * (https://opentelemetry.io/docs/specs/semconv/rpc/grpc/, status codes of server spans).
 */
const SERVER_ERRORS: ReadonlySet<string> = new Set([
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

/** `error.type` is there if, and only if, the call failed by that list; it repeats the code. */
function withErrorType(labels: Readonly<Record<string, string>>, status: string): Record<string, string> {
  return SERVER_ERRORS.has(status) ? { ...labels, error_type: status } : labels;
}
