import type { Socket } from "node:net";
import type { Clock } from "../lib/clock.ts";
import type { Departure } from "./departure.ts";
import type { ListenerLimits } from "./limits.ts";
import type { App } from "./transport.ts";

/**
 * An implementation of one version of HTTP: makes calls of what arrives on the connections that it is given. `http1/` and
 * `http2/` are our own, over sockets alone; `node/` has those over `node:http` and `node:http2`.
 */
export interface Carrier {
  /**
   * Takes a connection; its first bytes are in the socket, not read. The listener has an `error` listener on it, and
   * has told a TLS connection by ALPN.
   */
  accept(socket: Socket): void;
  /** {@link Departure.everyone} has become true: asks all peers that can be asked to go, at once. */
  retire(): void;
  /** Closes the connections that have no call, because they could not be asked to go. Called again and again. */
  closeIdle(): void;
  /** Ends all connections, whatever is under way on them, and stops all timers. */
  close(): void;
}

/** Makes a carrier of calls for `app`. */
export type CarrierFactory = (app: App, context: CarrierContext) => Carrier;

/** What a carrier is made with. */
export interface CarrierContext {
  readonly limits: ListenerLimits;
  readonly clock: Clock;
  /** When connections have to go. */
  readonly departure: Departure;
}
