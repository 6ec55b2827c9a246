import { isJsonObject, type JsonObject } from "./json.ts";
import type { ApiVersion } from "./kinds.ts";
import type { Method } from "./settings.ts";

/** Requests that are remembered one by one; older ones are dropped, the counts go on. */
const LOG_SIZE = 10_000;

/** Characters of a request body that are remembered. */
const LOGGED_BODY = 1_024;

/** What the emulator saw of one request, and what it did with it. */
export interface LoggedRequest {
  /** Also the value of `x-goog-request-id` in the answer. */
  readonly id: string;
  /** Milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  readonly method: Method | "unknown";
  readonly version: ApiVersion | undefined;
  readonly verb: string;
  /** Raw request target, with the values of credentials hidden. */
  readonly target: string;
  /** The name that the path decodes to; empty where no method is bound. */
  readonly name: string;
  /** By lower-case name; credentials are hidden. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
  /** The first {@link LOGGED_BODY} characters. */
  readonly body: string;
  /** Number of the TCP connection it came on; 0 without a socket. */
  readonly connection: number;
  /** The fault that hit it. */
  fault: number | undefined;
  /** HTTP status of the answer; `undefined` while there is none, or when a fault kept it back. */
  status: number | undefined;
  /** Milliseconds from its arrival to its answer (headers), on the monotonic clock. */
  answeredAfterMs: number | undefined;
  /** Milliseconds from its arrival until the client left without the whole answer. */
  abortedAfterMs: number | undefined;
}

/** How many requests there were, by what. */
export interface RequestCounts {
  readonly total: number;
  readonly byMethod: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<string, number>>;
}

/** Remembers requests. */
export interface RequestLog {
  add(entry: LoggedRequest): void;
  /** Completes an entry with its answer. */
  answered(entry: LoggedRequest, status: number | undefined, afterMs: number): void;
  /** The remembered requests, oldest first. */
  entries(): readonly LoggedRequest[];
  counts(): RequestCounts;
  clear(): void;
}

/** Creates an empty {@link RequestLog}. */
export function createRequestLog(): RequestLog {
  let entries: LoggedRequest[] = [];
  let total = 0;
  let byMethod: Record<string, number> = {};
  let byStatus: Record<string, number> = {};
  return {
    add(entry) {
      total++;
      byMethod[entry.method] = (byMethod[entry.method] ?? 0) + 1;
      entries.push(entry);
      // Dropped in blocks: to shift ten thousand entries for each request would cost more than to answer it.
      if (entries.length >= 2 * LOG_SIZE) entries = entries.slice(-LOG_SIZE);
    },
    answered(entry, status, afterMs) {
      const key = status === undefined ? "none" : String(status);
      byStatus[key] = (byStatus[key] ?? 0) + 1;
      entry.status = status;
      entry.answeredAfterMs = afterMs;
    },
    entries: () => entries.slice(-LOG_SIZE),
    counts: () => ({ total, byMethod: { ...byMethod }, byStatus: { ...byStatus } }),
    clear() {
      entries = [];
      total = 0;
      byMethod = {};
      byStatus = {};
    },
  };
}

/** Headers for the log: a token becomes its scheme and length. */
export function loggableHeaders(
  headers: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    shown[name] = ["authorization", "proxy-authorization", "cookie", "x-goog-api-key"].includes(name)
      ? value.replace(
          /^(\S+\s+)?(.*)$/s,
          (_, scheme: string | undefined, secret: string) => `${scheme ?? ""}[${secret.length} characters]`,
        )
      : value;
  }
  return shown;
}

/** The request target for the log: credentials in the query are hidden. */
export function loggableTarget(target: string): string {
  return target.replace(/([?&](?:\$|%24)?(?:access_token|oauth_token|key)=)[^&]*/g, "$1[hidden]");
}

/** The body for the log, as text. */
export function loggableBody(body: Uint8Array): string {
  return new TextDecoder().decode(body.subarray(0, LOGGED_BODY));
}

/** An entry in JSON. */
export function logEntryJson(entry: LoggedRequest): JsonObject {
  const json = { ...entry, receivedAt: new Date(entry.receivedAt).toISOString() };
  return isJsonObject(json) ? json : {};
}
