import type { RequestHeaders } from "../listen/transport.ts";
import { TIMEOUT_MAX_MS } from "./protocol.ts";

/** At most ten digits, as Envoy writes it. */
const MILLISECONDS = /^\d{1,10}$/;

/**
 * When the proxy in front gives the call up, in milliseconds from now: what Envoy says in
 * `x-envoy-expected-rq-timeout-ms` of the timeout of its route (15 s unless it is configured) or of one try. Infinity
 * without the header, or where it is none; zero means no limit to Envoy. It can only shorten the caller's own deadline,
 * so it may come from anybody.
 *
 * It counts for unary calls: a wait then answers what it knows before it is cut. A stream would end with
 * DEADLINE_EXCEEDED instead, as if its caller had asked for that.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-expected-rq-timeout-ms
 */
export function proxyTimeoutMs(headers: RequestHeaders): number {
  const value = headers["x-envoy-expected-rq-timeout-ms"];
  if (value === undefined || !MILLISECONDS.test(value)) return Number.POSITIVE_INFINITY;
  const ms = Number(value);
  return ms === 0 ? Number.POSITIVE_INFINITY : Math.min(ms, TIMEOUT_MAX_MS);
}
