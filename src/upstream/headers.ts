import type { RestRequest } from "../lib/rest.ts";
import type { TraceContext } from "../lib/trace-context.ts";

/** What the outbound headers are made of. */
export interface HeaderFacts {
  /** Version of the gateway, e.g. `0.1.0`. */
  readonly version: string;
  /** Value of `x-goog-user-project`, or none. */
  readonly quotaProject: string | undefined;
}

/** The headers of every kind of request, flat lists of names and values. Shared by calls: nobody may write to them. */
export interface OutboundHeaders {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly writeWithBody: readonly string[];
}

/**
 * Makes the headers that go upstream: a closed list, written by the gateway alone. Nothing a caller sends becomes a
 * header here, except the one bearer token in credentials mode `caller` and a checked trace context. `host`,
 * `connection` and `content-length` are written by who carries the request. Left out: `x-goog-request-params`, which
 * repeats for gRPC routing what a REST path says itself (https://google.aip.dev/client-libraries/4222).
 *
 * Made once per token, because a list made for each call is garbage for each call.
 */
export function outboundHeaders(facts: HeaderFacts): OutboundHeaders {
  const common = [
    "accept",
    "application/json",
    // Google's front ends compress only for clients that name gzip here too.
    "user-agent",
    `lro-gateway/${facts.version} (gzip)`,
    // Tokens of who calls, as the client libraries send them; ours only.
    "x-goog-api-client",
    `gl-node/${process.versions.node} lro-gateway/${facts.version}`,
  ];
  if (facts.quotaProject !== undefined) common.push("x-goog-user-project", facts.quotaProject);
  return {
    // Answers to reads may be pages of a hundred KiB; those to writes are `{}`.
    read: [...common, "accept-encoding", "gzip"],
    write: common,
    writeWithBody: [...common, "content-type", "application/json"],
  };
}

/** The same headers with an `authorization`. */
export function withAuthorization(headers: OutboundHeaders, authorization: string): OutboundHeaders {
  return {
    read: [...headers.read, "authorization", authorization],
    write: [...headers.write, "authorization", authorization],
    writeWithBody: [...headers.writeWithBody, "authorization", authorization],
  };
}

/** The headers of one request. */
export function headersFor(request: RestRequest, headers: OutboundHeaders): readonly string[] {
  if (request.body !== undefined) return headers.writeWithBody;
  return request.verb === "GET" ? headers.read : headers.write;
}

/** The headers of a request that belongs to a caller's trace: as they came, since the gateway adds no span. */
export function withTrace(headers: readonly string[], trace: TraceContext): readonly string[] {
  const { traceparent, tracestate } = trace;
  if (tracestate === undefined) return [...headers, "traceparent", traceparent];
  return [...headers, "traceparent", traceparent, "tracestate", tracestate];
}
