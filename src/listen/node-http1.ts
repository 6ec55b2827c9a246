import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { peerOf } from "./node-http2.ts";
import type { App, Receiver, RequestHeaders, ResponseHeaders, TransportCall } from "./transport.ts";

/** The listener for the `request` event of a `node:http` server: hands each exchange to the app as a call. */
export function acceptHttp1Request(app: App): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    if (countHosts(request.rawHeaders) > 1) {
      // RFC 9112 §3.2: two Host lines are an attempt to be two things to two readers.
      response.writeHead(400, { connection: "close" }).end();
      return;
    }
    app(new Http1Call(request, response));
  };
}

/** One HTTP/1.1 request and its response as a {@link TransportCall}. */
class Http1Call implements TransportCall {
  readonly httpVersion = "1.1";
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    request.on("error", ignore);
    response.on("error", ignore);
  }

  get verb(): string {
    return this.#request.method ?? "";
  }

  get target(): string {
    return this.#request.url ?? "";
  }

  get authority(): string | undefined {
    return this.#request.headers.host;
  }

  get headers(): RequestHeaders {
    return this.#request.headers;
  }

  get secure(): boolean {
    return "encrypted" in this.#request.socket;
  }

  get peer(): string {
    return peerOf(this.#request.socket);
  }

  receive(receiver: Receiver): void {
    const request = this.#request;
    const response = this.#response;
    request.on("data", (chunk: Uint8Array) => receiver.data(chunk));
    request.on("end", () => receiver.ended());
    response.on("drain", () => receiver.drained());
    response.on("close", () => receiver.closed(response.writableFinished));
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    const response = this.#response;
    if (response.destroyed) return;
    if (trailers) {
      this.begin(status, headers, true);
      if (body) response.write(body);
      this.end(trailers);
      return;
    }
    const length = { "content-length": String(body?.byteLength ?? 0) };
    response.writeHead(status, { ...copy(headers), ...length, ...this.#connection() });
    response.end(body);
  }

  begin(status: number, headers: ResponseHeaders, _trailers: boolean): void {
    if (this.#response.destroyed) return;
    this.#response.writeHead(status, { ...copy(headers), ...this.#connection() });
  }

  write(chunk: Uint8Array): boolean {
    return this.#response.writable ? this.#response.write(chunk) : true;
  }

  end(trailers?: ResponseHeaders): void {
    if (this.#response.destroyed) return;
    if (trailers) this.#response.addTrailers(copy(trailers));
    this.#response.end();
  }

  reset(): void {
    this.#request.socket.destroy();
  }

  /**
   * An answer before the request is complete ends the connection: what the caller is still sending would otherwise
   * have to be read to its end before the next request can be told from it.
   */
  #connection(): OutgoingHttpHeaders {
    return this.#request.complete ? {} : { connection: "close" };
  }
}

function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts;
}

/** Node wants arrays that it may change. */
function copy(headers: ResponseHeaders): OutgoingHttpHeaders {
  return headers as OutgoingHttpHeaders;
}

function ignore(): void {}
