import { collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import { codeName } from "../errors/http-code.ts";
import type { Clock } from "../lib/clock.ts";
import { Histogram, type Series } from "./histogram.ts";
import {
  type CallObserver,
  type ObservedCall,
  type ObservedRefusal,
  UNOBSERVED_SERVICES,
} from "./observed-call.ts";

/** google.rpc codes are 0 to 16. */
const CODES = 17;

/**
 * The metrics of the process, under the names of the OpenTelemetry RPC and HTTP conventions 1.45 in Prometheus' spelling.
 * Labels are words of ours: no project, dataset, operation or caller, of which there is no end and which may name a
 * patient.
 */
export class Metrics implements CallObserver {
  /** For {@link render}. */
  readonly contentType: string;
  readonly #clock: Clock;
  readonly #registry = new Registry();
  readonly #calls: Histogram;
  readonly #requests: Histogram;
  readonly #callSeries = new WeakMap<ObservedCall["method"], (Series | undefined)[]>();
  readonly #requestSeries = new Map<string, Series>();
  readonly #refusedSeries = new Map<string, Series>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.contentType = this.#registry.contentType;
    this.#calls = this.#add(
      new Histogram(
        "rpc_server_call_duration_seconds",
        "Duration of calls, from their header block to their answer.",
      ),
    );
    this.#requests = this.#add(
      new Histogram(
        "http_client_request_duration_seconds",
        "Duration of requests to the upstream, each attempt of its own.",
      ),
    );
    collectDefaultMetrics({ register: this.#registry });
  }

  finished(call: ObservedCall, code: number): void {
    const { method } = call;
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
      series = this.#calls.series(rpcLabels(system, `${method.parent.typeName}/${method.name}`, code));
      all[at] = series;
    }
    series.observe((this.#clock.monotonic() - call.openedAt) / 1_000);
  }

  refused(_request: ObservedRefusal, why: { readonly httpStatus: number } | { readonly code: number }): void {
    const verdict = "code" in why ? codeName(why.code) : String(why.httpStatus);
    let series = this.#refusedSeries.get(verdict);
    if (series === undefined) {
      const labels = { rpc_method: "_OTHER", rpc_status_code: verdict, error_type: verdict };
      series = this.#calls.series(labels);
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
  gauge(name: string, help: string, read: () => number | undefined): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read() ?? Number.NaN);
      },
    });
  }

  /** Everything in Prometheus' text format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  #add(histogram: Histogram): Histogram {
    // prom-client's type is that of its own classes; it asks for name, get and reset only.
    this.#registry.registerMetric(histogram as unknown as Metric);
    return histogram;
  }
}

function rpcLabels(system: string, method: string, code: number): Record<string, string> {
  const status = codeName(code);
  const labels = { rpc_system_name: system, rpc_method: method, rpc_status_code: status };
  return code === 0 ? labels : { ...labels, error_type: status };
}
