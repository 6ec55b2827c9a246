import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { App, Receiver, ResetCode, ResponseHeaders, TransportCall } from "./transport.ts";

/** RFC 9113 §7. */
const RESET_CODES: Record<ResetCode, number> = {
  NO_ERROR: 0,
  INTERNAL_ERROR: 2,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  ENHANCE_YOUR_CALM: 11,
};

/** The listener for the `stream` event of a `node:http2` server: hands each stream to the app as a call. */
export function acceptHttp2Stream(
  app: App,
): (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void {
  return (stream, headers) => {
    app(new Http2Call(stream, headers));
  };
}

/** One HTTP/2 stream as a {@link TransportCall}. */
class Http2Call implements TransportCall {
  readonly httpVersion = "2";
  readonly headers: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;
  #requestEnded = false;
  #trailers: ResponseHeaders | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.headers = headers;
    // A stream without this listener takes the process down when its peer resets it.
    stream.on("error", ignore);
  }

  get verb(): string {
    return String(this.headers[":method"]);
  }

  get target(): string {
    return String(this.headers[":path"]);
  }

  get authority(): string | undefined {
    const authority = this.headers[":authority"];
    return typeof authority === "string" ? authority : this.headers.host;
  }

  get secure(): boolean {
    return this.#stream.session?.encrypted === true;
  }

  get peer(): string {
    return peerOf(this.#stream.session?.socket);
  }

  receive(receiver: Receiver): void {
    const stream = this.#stream;
    stream.on("data", (chunk: Uint8Array) => receiver.data(chunk));
    stream.on("end", () => {
      this.#requestEnded = true;
      // Node reports the end of the body also for a stream that was cut.
      if (!stream.aborted) receiver.ended();
    });
    stream.on("drain", () => receiver.drained());
    stream.on("close", () => receiver.closed(stream.rstCode === 0 && stream.writableFinished));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    if (body === undefined && trailers === undefined) {
      stream.respond({ ":status": status, ...copy(headers) }, { endStream: true });
      this.#stopRequest();
      return;
    }
    this.begin(status, headers, trailers !== undefined);
    this.#trailers = trailers;
    if (body) stream.end(body);
    else stream.end();
    this.#stopRequest();
  }

  begin(status: number, headers: ResponseHeaders, trailers: boolean): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    stream.respond({ ":status": status, ...copy(headers) }, { waitForTrailers: trailers });
    if (trailers) stream.on("wantTrailers", () => stream.sendTrailers(copy(this.#trailers ?? {})));
  }

  write(chunk: Uint8Array): boolean {
    return this.#stream.writable ? this.#stream.write(chunk) : true;
  }

  end(trailers?: ResponseHeaders): void {
    this.#trailers = trailers;
    if (this.#stream.writable) this.#stream.end();
    this.#stopRequest();
  }

  reset(code: ResetCode): void {
    this.#stream.close(RESET_CODES[code]);
  }

  /**
   * The answer is complete while the request is not: tells the caller to stop sending, without an error
   * (RFC 9113 §8.1). Node sends the frame after everything that is written before it.
   */
  #stopRequest(): void {
    if (!this.#requestEnded) this.#stream.close(RESET_CODES.NO_ERROR);
  }
}

/** `host:port` of a socket's peer, `unix` for a local socket. */
export function peerOf(socket: Socket | undefined): string {
  return socket?.remoteAddress ? `${socket.remoteAddress}:${socket.remotePort}` : "unix";
}

/** Node wants arrays that it may change. */
function copy(headers: ResponseHeaders): Record<string, string | string[]> {
  return headers as Record<string, string | string[]>;
}

function ignore(): void {}
