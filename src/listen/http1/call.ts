import type { Receiver, RequestHeaders, ResponseHeaders, TransportCall } from "../transport.ts";
import type { Http1Connection } from "./connection.ts";
import type { RequestHead } from "./request-head.ts";
import { fieldLines, statusLine } from "./response-head.ts";

/** RFC 9110 §15.2.1. */
export const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** One HTTP/1.1 request and its answer as a {@link TransportCall}. */
export class Http1Call implements TransportCall {
  readonly httpVersion = "1.1";
  readonly head: RequestHead;
  receiver: Receiver | undefined;
  /** All of the request is here, whether or not the receiver has been told. */
  requestComplete = false;
  /** How far the answer is; `ended`: nothing will be added to it. */
  answered: "no" | "begun" | "ended" = "no";
  readonly #connection: Http1Connection;
  /** How the pieces of the answer are told apart: in chunks, by the end of the connection, or none may be sent. */
  #pieces: "chunked" | "until close" | "none" = "chunked";

  constructor(connection: Http1Connection, head: RequestHead) {
    this.#connection = connection;
    this.head = head;
  }

  get verb(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

  get authority(): string | undefined {
    return this.head.headers["host"];
  }

  get headers(): RequestHeaders {
    return this.head.headers;
  }

  get secure(): boolean {
    return this.#connection.secure;
  }

  get peer(): string {
    return this.#connection.peer;
  }

  receive(receiver: Receiver): void {
    this.receiver = receiver;
  }

  pause(): void {
    this.#connection.pauseBody(this);
  }

  resume(): void {
    this.#connection.resumeBody(this);
  }

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    if (this.answered !== "no") return;
    if (trailers) {
      this.begin(status, headers, true);
      if (body) this.write(body);
      this.end(trailers);
      return;
    }
    const length = hasNoContent(status) ? "" : `content-length: ${body?.byteLength ?? 0}\r\n`;
    const head = this.#head(status, headers, length);
    this.answered = "ended";
    this.#connection.finish(this, head, this.#mayHaveBody(status) ? body : undefined);
  }

  begin(status: number, headers: ResponseHeaders, _trailers: boolean): void {
    if (this.answered !== "no") return;
    if (!this.#mayHaveBody(status)) this.#pieces = "none";
    // A caller of HTTP/1.0 knows no chunks (RFC 9112 §7.1).
    else if (this.head.minor === 0) this.#pieces = "until close";
    const coding = this.#pieces === "chunked" ? "transfer-encoding: chunked\r\n" : "";
    const head = this.#head(status, headers, coding);
    this.answered = "begun";
    this.#connection.output.send(head);
  }

  write(chunk: Uint8Array): boolean {
    const { output, onWritten } = this.#connection;
    // A chunk of no bytes would be the last one.
    if (this.answered !== "begun" || !output.writable || this.#pieces === "none" || chunk.byteLength === 0)
      return true;
    if (this.#pieces === "chunked")
      output.send(`${chunk.byteLength.toString(16)}\r\n`, chunk, onWritten, "\r\n");
    else output.send("", chunk, onWritten);
    // Each write is waited for, as for HTTP/2.
    return false;
  }

  end(trailers?: ResponseHeaders): void {
    if (this.answered !== "begun") return;
    const last = this.#pieces === "chunked" ? `0\r\n${trailers ? fieldLines(trailers) : ""}\r\n` : "";
    this.answered = "ended";
    this.#connection.finish(this, last);
  }

  reset(): void {
    this.#connection.cutCall(this);
  }

  /** Says something that means nothing, so that the end of a caller that is not read shows. */
  probe(): void {
    // Callers of HTTP/1.0 know no interim answers (RFC 9110 §15.2).
    if (this.answered === "no" && this.head.minor === 1) this.#connection.output.send(CONTINUE);
  }

  #mayHaveBody(status: number): boolean {
    return this.head.method !== "HEAD" && !hasNoContent(status);
  }

  #head(status: number, headers: ResponseHeaders, framing: string): string {
    return `${statusLine(status)}${fieldLines(headers)}${this.#connection.fieldsFor(this)}${framing}\r\n`;
  }
}

/** Answers that have neither a body nor a field that announces one (RFC 9110 §15.3.5, §15.4.5, §8.6). */
function hasNoContent(status: number): boolean {
  return status === 204 || status === 304;
}
