import { buildConnector, Client, type Dispatcher, EnvHttpProxyAgent } from "undici";

/** What a connection to the upstream is made with. */
export interface DispatcherOptions {
  /** Scheme, host and port, e.g. `https://healthcare.googleapis.com`. */
  readonly origin: string;
  readonly tls?: TlsMaterial | undefined;
  readonly proxy?: ProxySettings | undefined;
  readonly timeouts?: Partial<ConnectionTimeouts> | undefined;
}

/** PEM texts for TLS to the upstream. */
export interface TlsMaterial {
  /** Certificate authorities to trust instead of the ones that ship with Node. */
  readonly ca?: string | undefined;
  /** The client's certificate chain and key, for mTLS. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
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

/** Why these: see each line. The middle two are the exchange's to keep, not undici's. */
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
const KEEP_ALIVE_MAX_MS = 600_000;

/** The head of an answer at most; Node's own HTTP parser draws the line at the same place. */
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Returns a function that makes a dispatcher for one connection (or, through a proxy, hands out the agent that holds
 * them all). HTTP/1.1 only and one request at a time on each: what undici would send again after a reset is what is
 * pipelined or multiplexed behind it, so nothing is.
 */
export function createDispatcherFactory(options: DispatcherOptions, connections: number): () => Dispatcher {
  const timeouts = { ...DEFAULT_CONNECTION_TIMEOUTS, ...options.timeouts };
  const tls = definedOnly(options.tls ?? {});
  const clientOptions = {
    // The exchange keeps these, see {@link Exchange.age}.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: timeouts.keepAlive,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    pipelining: 1,
    allowH2: false,
  };
  if (options.proxy?.httpProxy || options.proxy?.httpsProxy) {
    const agent = new EnvHttpProxyAgent({
      ...clientOptions,
      connections,
      connectTimeout: timeouts.connect,
      connect: { ...tls, timeout: timeouts.connect },
      requestTls: { ...tls, timeout: timeouts.connect },
      // Empty strings, not absent: undici would look at the environment instead.
      httpProxy: options.proxy.httpProxy ?? "",
      httpsProxy: options.proxy.httpsProxy ?? "",
      noProxy: options.proxy.noProxy ?? "",
    });
    return () => agent;
  }
  // One connector for all, so that they share TLS sessions.
  const connect = buildConnector({ ...tls, allowH2: false, timeout: timeouts.connect });
  return () => new Client(options.origin, { ...clientOptions, connect });
}

/** Node's TLS tells an absent option from one that is undefined. */
function definedOnly(tls: TlsMaterial): { ca?: string; cert?: string; key?: string } {
  return {
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
  };
}
