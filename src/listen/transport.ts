/**
 * What carries a call between the socket and the protocols: one HTTP exchange, whatever brought it here.
 *
 * The protocols know this interface only, so that another implementation of HTTP can be put under them without
 * touching a protocol file: `http2/stream.ts`, `http1/call.ts` and their mirrors in `node/` implement it, and, for tests
 * without a socket, `test/support/in-memory.ts`.
 */
export interface TransportCall {
  readonly httpVersion: "1.1" | "2";
  /** HTTP verb as the caller wrote it. */
  readonly verb: string;
  /** Path and query as the caller wrote them; not decoded, not normalised. */
  readonly target: string;
  /** `:authority`, the authority of a target URI, or `Host`, not checked; `undefined` when the caller sent none. */
  readonly authority: string | undefined;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;
  /** Address of the TCP peer, `host:port`; `unix` for a local socket. */
  readonly peer: string;
  readonly headers: RequestHeaders;

  /**
   * Lets the request in. Called once, in the turn in which the call was opened; everything the receiver is told
   * comes when the {@link App} has returned, or later.
   */
  receive(receiver: Receiver): void;
  /** Stops the arrival of request data for a while (flow control towards the caller). */
  pause(): void;
  resume(): void;

  /**
   * A whole answer in as few writes as the carrier can: header block, at most one piece of body, trailers. With
   * neither body nor trailers the header block itself ends the answer (what gRPC calls Trailers-Only). Of the body of an
   * answer to HEAD only the length is told, where the carrier tells it (RFC 9110 §8.6).
   */
  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void;
  /** Begins an answer that has more than one piece. `trailers` says that {@link end} will bring some. */
  begin(status: number, headers: ResponseHeaders, trailers: boolean): void;
  /** Sends a piece of the body. False: the carrier holds enough, wait for {@link Receiver.drained}. */
  write(chunk: Uint8Array): boolean;
  /** Ends an answer that was begun. */
  end(trailers?: ResponseHeaders): void;
  /** Cuts the call: RST_STREAM with {@link ResetCode}, or the end of the connection for HTTP/1.1. */
  reset(code: ResetCode): void;
}

/** What a carrier tells the call's owner. */
export interface Receiver {
  /** Bytes of the request body, as they arrive. */
  data(chunk: Buffer): void;
  /** The request is complete. */
  complete(): void;
  /** {@link TransportCall.write} returned false, and the carrier takes more again. */
  drained(): void;
  /**
   * The exchange is over; the last thing a receiver is told. True when the answer left completely; false when the
   * caller went away, reset the stream, or was cut.
   */
  closed(answered: boolean): void;
}

/** Request header block: lower-case names, HTTP/2's pseudo-headers among them; lines of one name joined by `, `. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** Header block or trailers of an answer: lower-case names. Never changed once handed over, so it may be shared. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[]>>;

/** HTTP/2 error codes that the gateway sends itself (RFC 9113 §7). */
export type ResetCode = "NO_ERROR" | "INTERNAL_ERROR" | "REFUSED_STREAM" | "CANCEL" | "ENHANCE_YOUR_CALM";

/** Takes the calls of a listener. Must not throw. */
export type App = (call: TransportCall) => void;
