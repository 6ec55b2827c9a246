import type {
  App,
  Receiver,
  RequestHeaders,
  ResponseHeaders,
  TransportCall,
} from "../../src/listen/transport.ts";

/** A request to {@link callInMemory}. */
export interface MemoryRequest {
  /** Default `POST`. */
  readonly verb?: string;
  readonly target: string;
  readonly headers: RequestHeaders;
  /** Pieces of the body, as a socket would bring them. Default: none. */
  readonly body?: readonly Uint8Array[];
  /** Whether the request ever ends. Default true. */
  readonly complete?: boolean;
  /** Default `2`. */
  readonly httpVersion?: "1.1" | "2";
}

/** The answer to it. */
export interface MemoryAnswer {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: Buffer;
  readonly trailers: ResponseHeaders | undefined;
  /** Whether the header block itself ended the answer. */
  readonly headersOnly: boolean;
}

/**
 * A call without a socket: what is left is the RPC path itself. Serves the bench, which shows its cost, and tests.
 * Resolves with the whole answer; rejects when the call is reset.
 */
export function callInMemory(app: App, request: MemoryRequest): Promise<MemoryAnswer> {
  return new Promise((resolve, reject) => {
    const call = new MemoryCall(request, resolve, reject);
    app(call);
    call.deliver();
  });
}

/** One exchange in memory as a {@link TransportCall}. */
class MemoryCall implements TransportCall {
  readonly httpVersion: "1.1" | "2";
  readonly verb: string;
  readonly target: string;
  readonly authority = "in-memory";
  readonly secure = false;
  readonly peer = "in-memory";
  readonly headers: RequestHeaders;
  readonly #request: MemoryRequest;
  readonly #resolve: (answer: MemoryAnswer) => void;
  readonly #reject: (error: Error) => void;
  readonly #written: Uint8Array[] = [];
  #receiver: Receiver | undefined;
  #begun: { status: number; headers: ResponseHeaders } | undefined;
  #over = false;

  constructor(
    request: MemoryRequest,
    resolve: (answer: MemoryAnswer) => void,
    reject: (error: Error) => void,
  ) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.httpVersion = request.httpVersion ?? "2";
    this.verb = request.verb ?? "POST";
    this.target = request.target;
    this.headers = request.headers;
  }

  receive(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  /** Brings the request in, as a socket does after the header block. */
  deliver(): void {
    for (const piece of this.#request.body ?? [])
      this.#receiver?.data(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    if (this.#request.complete ?? true) this.#receiver?.complete();
  }

  pause(): void {}

  resume(): void {}

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    if (this.#over) return;
    if (body) this.#written.push(body);
    this.#finish(status, headers, trailers, body === undefined && trailers === undefined);
  }

  begin(status: number, headers: ResponseHeaders, _trailers: boolean): void {
    this.#begun ??= { status, headers };
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#over) this.#written.push(chunk);
    return true;
  }

  end(trailers?: ResponseHeaders): void {
    if (this.#over || !this.#begun) return;
    this.#finish(this.#begun.status, this.#begun.headers, trailers, false);
  }

  reset(code: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#reject(new Error(`reset: ${code}`));
    queueMicrotask(() => this.#receiver?.closed(false));
  }

  #finish(
    status: number,
    headers: ResponseHeaders,
    trailers: ResponseHeaders | undefined,
    headersOnly: boolean,
  ): void {
    this.#over = true;
    const [first] = this.#written;
    const body = this.#written.length === 1 && first ? Buffer.from(first) : Buffer.concat(this.#written);
    this.#resolve({ status, headers, body, trailers, headersOnly });
    // Later, as everywhere: the answer has to be decided first.
    queueMicrotask(() => this.#receiver?.closed(true));
  }
}
