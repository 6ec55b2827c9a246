import type { Delivery } from "./delivery.ts";
import { parseQuery, type Query } from "./query.ts";
import { type LoggedRequest, loggableBody, loggableHeaders, loggableTarget } from "./request-log.ts";
import { type FrontEndOnly, findRoute, type Route } from "./route.ts";

/** An HTTP request as it came, without the transport. */
export interface EmulatorRequest {
  readonly verb: string;
  /** The request target as on the request line: raw path and query. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** Number of the connection, for the request log. */
  readonly connection?: number | undefined;
  /** Calls `listener` when the client leaves without the whole answer. */
  readonly onAbort?: ((listener: () => void) => void) | undefined;
}

/** An HTTP answer, complete. */
export interface EmulatorAnswer {
  readonly status: number;
  /** By lower-case name; without content-length. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** How a fault wants it on the wire; the server in start-emulator.ts obeys, other callers of `handle` may. */
  readonly delivery: Delivery;
}

/** A request with what was read from it. */
export interface Exchange {
  readonly request: EmulatorRequest;
  /** Raw path, without the query. */
  readonly path: string;
  readonly query: Query;
  /** `undefined`: the front end answers with {@link Exchange.page}. */
  readonly route: Route | undefined;
  readonly page: FrontEndOnly["page"] | undefined;
  readonly entry: LoggedRequest;
}

/** Reads a request, and opens its entry in the log under `id`. */
export function openExchange(request: EmulatorRequest, id: string, receivedAt: number): Exchange {
  const mark = request.target.indexOf("?");
  const path = mark < 0 ? request.target : request.target.slice(0, mark);
  const found = findRoute(request.verb, path);
  const route = "page" in found ? undefined : found;
  const entry: LoggedRequest = {
    id,
    receivedAt,
    method: route?.method ?? "unknown",
    version: route?.version,
    verb: request.verb,
    target: loggableTarget(request.target),
    name: route ? (route.method === "start" ? route.resource : route.name) : "",
    headers: loggableHeaders(request.headers),
    bodyBytes: request.body.length,
    body: loggableBody(request.body),
    connection: request.connection ?? 0,
    fault: undefined,
    status: undefined,
    answeredAfterMs: undefined,
    abortedAfterMs: undefined,
  };
  return {
    request,
    path,
    query: parseQuery(mark < 0 ? "" : request.target.slice(mark + 1)),
    route,
    page: "page" in found ? found.page : undefined,
    entry,
  };
}
