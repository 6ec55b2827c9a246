import type { Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Carrier, CarrierFactory } from "./carrier.ts";
import { Departure } from "./departure.ts";
import { ownHttp1 } from "./http1/http1.ts";
import { ownHttp2 } from "./http2/http2.ts";
import type { KeyPair } from "./key-pair.ts";
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from "./limits.ts";
import { Newcomers } from "./newcomers.ts";
import { nodeHttp1 } from "./node/http1.ts";
import { nodeHttp2 } from "./node/http2.ts";
import { rememberPeer } from "./peer-address.ts";
import { type OpenPort, openPort } from "./port.ts";
import { sniffProtocol } from "./sniff.ts";
import type { App } from "./transport.ts";

/** The implementations of HTTP/1.1, by the name that {@link ListenerOptions.http1} calls them. */
export const HTTP1_CARRIERS = { node: nodeHttp1, own: ownHttp1 } as const satisfies Record<
  string,
  CarrierFactory
>;

/** The implementations of HTTP/2, by the name that {@link ListenerOptions.http2} calls them. */
export const HTTP2_CARRIERS = { node: nodeHttp2, own: ownHttp2 } as const satisfies Record<
  string,
  CarrierFactory
>;

/** Where and how a listener listens. */
export interface ListenerOptions {
  /** `host:port`, brackets around an IPv6 address, port 0 for a free one; or `unix:/path`. */
  readonly listen: string;
  /** Where connections come from instead, when another process listens there. */
  readonly openPort?: OpenPort | undefined;
  /** Serves TLS too, on the same port: certificate and key in PEM, and what else Node's TLS server takes. */
  readonly tls?:
    | (TlsOptions & {
        /** Refuses clear text beside TLS. Default false: a connection is served as its first byte asks. */
        readonly required?: boolean;
      })
    | undefined;
  /** Which implementation of HTTP/1.1 and of HTTP/2 carries the calls. */
  readonly http1?: keyof typeof HTTP1_CARRIERS;
  readonly http2?: keyof typeof HTTP2_CARRIERS;
  readonly limits?: Partial<ListenerLimits>;
  readonly clock?: Clock;
  /** 0 to 1, for jitter. Default: `Math.random`. */
  readonly random?: () => number;
}

/** An open port. */
export interface Listener {
  /** `host:port` that is really listened on, or `unix:/path`. */
  readonly address: string;
  /** How many connections are open. */
  readonly connections: number;
  /** Shows another certificate on new connections; those that are open keep theirs. Without TLS it does nothing. */
  useKeyPair(pair: KeyPair): void;
  /**
   * Takes no new connections and asks the callers of those that are open to go elsewhere: GOAWAY, or
   * `Connection: close` on the next answer. Resolves when no connection is left, which may be never.
   */
  drain(): Promise<void>;
  /** Stops listening and ends all connections, whatever is under way on them. */
  close(): Promise<void>;
}

/**
 * Opens the one port of the gateway: HTTP/2 with prior knowledge and HTTP/1.1 in clear text, and with a certificate
 * TLS with ALPN, told apart by the first bytes of each connection. Rejects with an Error that people can read when
 * the port cannot be had.
 */
export async function startListener(options: ListenerOptions, app: App): Promise<Listener> {
  const clock = options.clock ?? systemClock;
  const limits = { ...DEFAULT_LISTENER_LIMITS, ...options.limits };
  const sockets = new Set<Socket>();
  // Those that have said nothing yet.
  const silent = new Set<Socket>();
  const newcomers = new Newcomers();
  const welcome: App = (call) => {
    newcomers.called(call.peer);
    app(call);
  };
  const departure = new Departure(clock, limits, options.random ?? Math.random);
  const context = { limits, clock, departure };
  const http1 = HTTP1_CARRIERS[options.http1 ?? "own"](welcome, context);
  const http2 = HTTP2_CARRIERS[options.http2 ?? "own"](welcome, context);
  const tls = options.tls && createTls(options.tls, limits, http1, http2);
  const gone = Promise.withResolvers<void>();
  const take = (socket: Socket): void => {
    rememberPeer(socket);
    if (sockets.size >= limits.connections) {
      const leaving = newcomers.takeOldest();
      if (leaving === undefined) {
        socket.destroy();
        return;
      }
      // Its close is told later, and may be after the next one has come.
      sockets.delete(leaving);
      leaving.destroy();
    }
    sockets.add(socket);
    silent.add(socket);
    newcomers.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
      if (departure.everyone && sockets.size === 0) gone.resolve();
    });
    socket.on("error", doNothing);
    sniffProtocol(socket, clock, limits.silentMs, (protocol) => {
      silent.delete(socket);
      const target =
        protocol === "tls" ? tls : options.tls?.required ? undefined : protocol === "h2" ? http2 : http1;
      if (target) target.accept(socket);
      else socket.destroy();
    });
  };
  const port = await (options.openPort ?? ((taker) => openPort(options.listen, taker)))(take);
  return {
    address: port.address,
    get connections() {
      return sockets.size;
    },
    useKeyPair: (pair) => tls?.useKeyPair(pair),
    async drain() {
      await port.close();
      departure.everyone = true;
      if (sockets.size === 0) gone.resolve();
      http1.retire();
      http2.retire();
      const closeIdle = (): void => {
        for (const socket of silent) socket.destroy();
        http1.closeIdle();
        http2.closeIdle();
        if (sockets.size > 0) clock.setTimer(limits.drainIdleMs, closeIdle);
      };
      clock.setTimer(limits.drainIdleMs, closeIdle);
      await gone.promise;
    },
    async close() {
      await port.close();
      departure.everyone = true;
      http1.close();
      http2.close();
      for (const socket of sockets) socket.destroy();
      if (sockets.size > 0) await gone.promise;
    },
  };
}

/**
 * ALPN decides within TLS (RFC 7301): a client that offers neither protocol is refused in the handshake, and one that
 * offers nothing speaks HTTP/1.1.
 */
function createTls(
  options: NonNullable<ListenerOptions["tls"]>,
  limits: ListenerLimits,
  http1: Carrier,
  http2: Carrier,
): Pick<Carrier, "accept"> & Pick<Listener, "useKeyPair"> {
  const settings: TlsOptions = {
    handshakeTimeout: limits.silentMs,
    minVersion: "TLSv1.2",
    ...options,
    ALPNProtocols: ["h2", "http/1.1"],
  };
  const server = createTlsServer(settings);
  server.on("secureConnection", (socket) => {
    socket.on("error", doNothing);
    rememberPeer(socket);
    (socket.alpnProtocol === "h2" ? http2 : http1).accept(socket);
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return {
    accept: (socket) => void server.emit("connection", socket),
    // It forgets the settings that it is not told again, and makes new keys for tickets: nobody resumes the old session.
    useKeyPair: (pair) => server.setSecureContext({ ...settings, ...pair }),
  };
}

function doNothing(): void {}
