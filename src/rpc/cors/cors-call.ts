import type {
  Receiver,
  RequestHeaders,
  ResetCode,
  ResponseHeaders,
  TransportCall,
} from "../../listen/transport.ts";

/** A call whose answer gets further headers, whoever answers it and with what: only calls of web pages pass here. */
export class CorsCall implements TransportCall {
  readonly #call: TransportCall;
  readonly #headers: ResponseHeaders;

  constructor(call: TransportCall, headers: ResponseHeaders) {
    this.#call = call;
    this.#headers = headers;
  }

  get httpVersion(): "1.1" | "2" {
    return this.#call.httpVersion;
  }

  get verb(): string {
    return this.#call.verb;
  }

  get target(): string {
    return this.#call.target;
  }

  get authority(): string | undefined {
    return this.#call.authority;
  }

  get secure(): boolean {
    return this.#call.secure;
  }

  get peer(): string {
    return this.#call.peer;
  }

  get headers(): RequestHeaders {
    return this.#call.headers;
  }

  receive(receiver: Receiver): void {
    this.#call.receive(receiver);
  }

  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    this.#call.answer(status, { ...headers, ...this.#headers }, body, trailers);
  }

  begin(status: number, headers: ResponseHeaders, trailers: boolean): void {
    this.#call.begin(status, { ...headers, ...this.#headers }, trailers);
  }

  write(chunk: Uint8Array): boolean {
    return this.#call.write(chunk);
  }

  end(trailers?: ResponseHeaders): void {
    this.#call.end(trailers);
  }

  reset(code: ResetCode): void {
    this.#call.reset(code);
  }
}
