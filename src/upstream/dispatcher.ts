import type { Clock } from "../lib/clock.ts";
import type { RestRequest } from "../lib/rest.ts";
import { TurnEnd } from "../lib/turn-end.ts";
import type { Exchange } from "./exchange.ts";
import { connectTo, type TlsMaterial } from "./http1/connect.ts";
import { type ConnectionParts, UpstreamConnection } from "./http1/connection.ts";
import { OpenConnections } from "./http1/open-connections.ts";
import { RequestText } from "./http1/request-text.ts";
import { LateDispatcher } from "./late-dispatcher.ts";

/** What carries one request at a time to the upstream, or hands it to who does. */
export interface RequestDispatcher {
  /**
   * Sends a request once, and tells the exchange what comes of it, which may be before it returns.
   *
   * @param headers flat list of names and values, complete but for host, connection and content-length
   */
  dispatch(request: RestRequest, headers: readonly string[], exchange: Exchange): void;
  /** Ends its connections, whatever is under way on them. */
  destroy(): Promise<void>;
}

/** What a connection to the upstream is made with. */
export interface DispatcherOptions {
  /** Scheme, host and port, e.g. `https://healthcare.googleapis.com`. */
  readonly origin: string;
  readonly tls?: TlsMaterial | undefined;
  readonly proxy?: ProxySettings | undefined;
  readonly timeouts?: Partial<ConnectionTimeouts> | undefined;
  /** Who speaks HTTP/1.1: the gateway itself, or undici. Through a proxy it is always undici. Default: `own`. */
  readonly http1?: "own" | "undici" | undefined;
}

/** The proxy variables of the environment, as configuration hands them in. Empty is the same as absent. */
export interface ProxySettings {
  readonly httpProxy?: string | undefined;
  readonly httpsProxy?: string | undefined;
  /** Hosts that are reached without the proxy: names, suffixes with a leading dot, `host:port`, `*`. */
  readonly noProxy?: string | undefined;
}

/** Milliseconds. */
export interface ConnectionTimeouts {
  /** For TCP and TLS together. */
  readonly connect: number;
  /** From the request to the complete head of the answer. */
  readonly headers: number;
  /** Between two pieces of a body. */
  readonly body: number;
  /** How long an unused connection is kept, unless the upstream says less in its `keep-alive` header. */
  readonly keepAlive: number;
}

/** Why these: see each line. The middle two are the exchange's to keep. */
export const DEFAULT_CONNECTION_TIMEOUTS: ConnectionTimeouts = {
  // A TCP and TLS handshake across the planet takes half a second; one lost SYN costs another second, two cost three.
  connect: 5_000,
  // The slowest of the three calls, a list across collections, answers in seconds.
  headers: 30_000,
  // A body that stops for this long has lost its sender.
  body: 10_000,
  // Google's front ends keep idle connections for minutes; a new TLS connection costs two round trips.
  keepAlive: 60_000,
};

/** Longest that a `keep-alive` header of the upstream may keep an unused connection. */
export const KEEP_ALIVE_MAX_MS = 600_000;

/**
 * Returns a function that makes a dispatcher for one connection (or, through a proxy, hands out the one that holds them
 * all).
 *
 * HTTP/1.1 is our own there: undici checks, times and queues each request as if it were the only one, and a call costs
 * 1.3 to 1.4 times as much by it. Proxies, rare and with rules of their own, are left to undici.
 */
export function createDispatcherFactory(
  options: DispatcherOptions,
  connections: number,
  clock: Clock,
): () => RequestDispatcher {
  const timeouts = { ...DEFAULT_CONNECTION_TIMEOUTS, ...options.timeouts };
  if (options.http1 === "undici" || hasProxy(options.proxy)) {
    // Loading undici costs up to 80 ms of CPU, and few have a proxy.
    const factory = import("./undici.ts").then(({ undiciFactory }) =>
      undiciFactory(options, timeouts, connections),
    );
    return () => new LateDispatcher(factory.then((create) => create()));
  }
  const origin = new URL(options.origin);
  const parts: ConnectionParts = {
    connect: connectTo(origin, options.tls ?? {}),
    requests: new RequestText(origin.host),
    turnEnd: new TurnEnd(),
    open: new OpenConnections(clock),
    clock,
    connectMs: timeouts.connect,
    keepAliveMs: timeouts.keepAlive,
    keepAliveMaxMs: KEEP_ALIVE_MAX_MS,
  };
  return () => new UpstreamConnection(parts);
}

/** Whether the environment names a proxy, used or not. */
export function hasProxy(proxy: ProxySettings | undefined): boolean {
  return Boolean(proxy?.httpProxy || proxy?.httpsProxy);
}
