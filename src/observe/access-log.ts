import type { ConnectError } from "@connectrpc/connect";
import { failureFacts } from "../errors/failure-facts.ts";
import type { Clock } from "../lib/clock.ts";
import { codeName } from "../lib/code-names.ts";
import {
  type CallObserver,
  type HttpRefused,
  type ObservedCall,
  type ObservedRefusal,
  UNOBSERVED_SERVICES,
} from "./observed-call.ts";

/** What an {@link AccessLog} works with. */
export interface AccessLogParts {
  readonly clock: Clock;
  /** Writes complete lines; must neither block nor throw. */
  readonly write: (lines: string) => void;
  /** Process id, for the lines. */
  readonly pid: number;
}

/** How long lines are collected before they are written together, ms: a write costs more than the lines of it. */
const COLLECT_MS = 10;

/** So many characters are written at once, whatever the time. */
const COLLECT_CHARACTERS = 65_536;

/** What is said of a failed call alone; each value is a word or a number, see {@link failureFacts}. */
function failureFields(error: ConnectError, withAttempts: boolean): string {
  const { reason, domain, cause, attempts } = failureFacts(error);
  let fields = "";
  if (reason !== undefined) fields += `,"reason":"${reason}"`;
  if (domain !== undefined) fields += `,"domain":"${domain}"`;
  if (cause !== undefined) fields += `,"cause":"${cause}"`;
  if (withAttempts && attempts !== undefined) fields += `,"attempts":${attempts}`;
  return fields;
}

/** Codes that are the server's fault and not told by any other party. */
const FAULTS: ReadonlySet<string> = new Set(["INTERNAL", "UNKNOWN", "DATA_LOSS"]);

/**
 * One line of JSON for each call, in the format of the process's log. Holds no resource name, no header of the caller
 * but a well-formed `x-request-id` and `traceparent`, and no text that came from outside: a line is put together from
 * words of our own and numbers, and therefore needs no escaping.
 */
export class AccessLog implements CallObserver {
  readonly #clock: Clock;
  readonly #write: (lines: string) => void;
  readonly #pid: number;
  readonly #begins = new WeakMap<ObservedCall["method"], Partial<Record<ObservedCall["protocol"], string>>>();
  #lines = "";
  #collecting = false;
  #time = 0;
  #head = "";

  constructor({ clock, write, pid }: AccessLogParts) {
    this.#clock = clock;
    this.#write = write;
    this.#pid = pid;
  }

  finished(call: ObservedCall, error: ConnectError | undefined): void {
    const begin = this.#beginOf(call);
    if (begin === "") return;
    const name = error === undefined ? "OK" : codeName(error.code);
    const { upstreamOutcome: upstream } = call;
    const upstreamFields =
      upstream === undefined
        ? ""
        : `,"upstreamStatus":${upstream.httpStatus},"attempts":${upstream.attempts}`;
    const { trace } = call;
    // Names of https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/.
    const traceFields =
      trace === undefined
        ? ""
        : `,"trace_id":"${trace.traceId}","span_id":"${trace.spanId}","trace_flags":"${trace.flags}"`;
    const failure = error === undefined ? "" : failureFields(error, upstream === undefined);
    this.#add(
      name,
      `${begin}${name}"${failure},"durationMs":${this.#sinceMs(call.openedAt)}` +
        `,"requestBytes":${call.requestBytes},"responseBytes":${call.responseBytes},"responseMessages":${call.responseMessages}` +
        `,"peer":"${call.peer}","requestId":"${call.requestId}"${traceFields}${upstreamFields}`,
    );
  }

  refused(request: ObservedRefusal, why: HttpRefused | ConnectError): void {
    const verdict =
      "httpStatus" in why
        ? `"httpStatus":${why.httpStatus},"reason":"${why.reason}"`
        : `"code":"${codeName(why.code)}"${failureFields(why, false)}`;
    // Its path may hold anything, so it is not told.
    this.#add(
      "",
      `"method":"_OTHER",${verdict},"httpVersion":"${request.httpVersion}","peer":"${request.peer}","requestId":"${request.requestId}"`,
    );
  }

  /** Writes what is collected. */
  flush(): void {
    const lines = this.#lines;
    this.#lines = "";
    if (lines !== "") this.#write(lines);
  }

  #add(code: string, fields: string): void {
    const severity = FAULTS.has(code) ? "ERROR" : "INFO";
    this.#lines += `{"severity":"${severity}${this.#headNow()}${fields},"message":"rpc"}\n`;
    if (this.#lines.length > COLLECT_CHARACTERS) this.flush();
    else if (!this.#collecting) {
      this.#collecting = true;
      this.#clock.setTimer(COLLECT_MS, this.#collected);
    }
  }

  readonly #collected = (): void => {
    this.#collecting = false;
    this.flush();
  };

  /** A line up to its code, made once for each method and protocol; empty for a call that is not logged. */
  #beginOf({ method, protocol }: ObservedCall): string {
    let begins = this.#begins.get(method);
    if (begins === undefined) {
      begins = {};
      this.#begins.set(method, begins);
    }
    begins[protocol] ??= UNOBSERVED_SERVICES.has(method.parent.typeName)
      ? ""
      : `"method":"${method.parent.typeName}/${method.name}","protocol":"${protocol}","code":"`;
    return begins[protocol];
  }

  #sinceMs(at: number): number {
    return Math.round((this.#clock.monotonic() - at) * 1_000) / 1_000;
  }

  /** What stands between severity and fields: the same text within one millisecond. */
  #headNow(): string {
    const time = this.#clock.now();
    if (time !== this.#time) {
      this.#time = time;
      this.#head = `","time":"${new Date(time).toISOString()}","pid":${this.#pid},`;
    }
    return this.#head;
  }
}
