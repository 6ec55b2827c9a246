import type { Receiver, RequestHeaders, ResetCode, ResponseHeaders, TransportCall } from "../transport.ts";
import { DEFAULT_WINDOW } from "./frame.ts";
import { encodeHeaders } from "./hpack-encoder.ts";
import type { RequestHead } from "./request-head.ts";

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly secure: boolean;
  readonly peer: string;
  /** The stream has something to send, among it so many bytes of body that it did not have before. */
  sendLater(stream: Http2Stream, bytes: number): void;
  /** The stream has something to tell its receiver, in a later turn. */
  tellLater(stream: Http2Stream): void;
  /** Resets the stream. */
  cut(stream: Http2Stream, code: ResetCode): void;
  /** Lets the peer send so many bytes more on the stream. */
  widen(stream: Http2Stream, bytes: number): void;
  /** Hands a new call to its app. */
  open(stream: Http2Stream): void;
}

/** Below half of its window a stream is widened again: two frames for each window, and the peer never waits. */
const WIDEN_BYTES = DEFAULT_WINDOW >>> 1;

/**
 * One HTTP/2 stream as a {@link TransportCall}. Two sides work on it: `requests.ts` brings what has arrived, which is
 * told at the end of a read, once, in order; `send-queue.ts` takes what has to leave.
 */
export class Http2Stream implements TransportCall {
  readonly httpVersion = "2";
  readonly id: number;
  /** Chain of the {@link StreamTable}. */
  nextInBucket: Http2Stream | undefined;

  /** What is left of the window that the peer has for this stream, in bytes. */
  receiveWindow = DEFAULT_WINDOW;
  /** Bytes of body that have arrived. */
  received = 0;
  /** The peer has sent END_STREAM. */
  remoteEnded = false;

  /** What is left of the window that the gateway has for this stream, in bytes; may be below 0 (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** Header block of the answer, or of an interim one before it, until it has left. */
  headBlock: Buffer | undefined;
  /** Pieces of the body that have not left, and how much of the first one has. */
  readonly body: Uint8Array[] = [];
  bodySent = 0;
  /**
   * When {@link Http2Session.cutStalled} first saw that the stream waits for its peer: to let some of the body through,
   * or, when the answer has left, to end its request.
   */
  waitsSince: number | undefined;
  /** Trailers of the answer, until they have left. */
  trailerBlock: Buffer | undefined;
  /** The answer is complete in the fields above. */
  ending = false;
  /** Whether the stream stands in the send queue, and who comes after it. */
  queued = false;
  nextQueued: Http2Stream | undefined;

  /** How the exchange has ended; `undefined`: it has not. */
  outcome: "answered" | "cut" | undefined;
  /** Whether the stream stands in the list of those that have something to tell. */
  telling = false;
  /** The receiver waits for a write to leave, which it has done since the last telling. */
  waits = false;
  drainedDue = false;

  readonly #owner: StreamOwner;
  readonly #head: RequestHead;
  #receiver: Receiver | undefined;
  #opened = false;
  #begun = false;
  #bodiless = false;
  #completeTold = false;
  #paused = false;
  /** Bytes that the receiver has taken and the peer does not know of. */
  #taken = 0;
  #arrived: Buffer[] = NOTHING;

  constructor(owner: StreamOwner, id: number, head: RequestHead, sendWindow: number) {
    this.#owner = owner;
    this.id = id;
    this.#head = head;
    this.sendWindow = sendWindow;
  }

  get verb(): string {
    return this.#head.verb;
  }

  get target(): string {
    return this.#head.target;
  }

  get authority(): string | undefined {
    return this.#head.authority;
  }

  get headers(): RequestHeaders {
    return this.#head.headers;
  }

  /** Bytes that the body has to have; -1 when nothing was said. */
  get contentLength(): number {
    return this.#head.contentLength;
  }

  get secure(): boolean {
    return this.#owner.secure;
  }

  get peer(): string {
    return this.#owner.peer;
  }

  receive(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#owner.tellLater(this);
  }

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    if (this.outcome !== undefined || this.#begun) return;
    const headBlock = encodeHeaders(headers, status);
    if (trailers) this.trailerBlock = encodeHeaders(trailers);
    this.headBlock = headBlock;
    this.#begun = true;
    const length = this.#mayHaveBody(status) ? (body?.byteLength ?? 0) : 0;
    if (body && length > 0) this.body.push(body);
    this.ending = true;
    this.#owner.sendLater(this, length);
  }

  begin(status: number, headers: ResponseHeaders, _trailers: boolean): void {
    if (this.outcome !== undefined || this.#begun) return;
    this.headBlock = encodeHeaders(headers, status);
    this.#begun = true;
    this.#bodiless = !this.#mayHaveBody(status);
    this.#owner.sendLater(this, 0);
  }

  write(chunk: Uint8Array): boolean {
    if (this.outcome !== undefined || this.ending) return true;
    if (chunk.byteLength === 0 || this.#bodiless) return true;
    this.body.push(chunk);
    this.waits = true;
    this.#owner.sendLater(this, chunk.byteLength);
    // Each write is waited for: what waits here cannot be replaced by something newer.
    return false;
  }

  end(trailers?: ResponseHeaders): void {
    if (this.outcome !== undefined || this.ending) return;
    if (trailers) this.trailerBlock = encodeHeaders(trailers);
    this.ending = true;
    this.#owner.sendLater(this, 0);
  }

  reset(code: ResetCode): void {
    if (this.outcome === undefined) this.#owner.cut(this, code);
  }

  /** Takes a piece of the body, which is told later. */
  arrive(piece: Buffer): void {
    if (this.#arrived === NOTHING) this.#arrived = [piece];
    else this.#arrived.push(piece);
  }

  /** Tells the receiver what has happened since the last time. */
  tell(): void {
    this.telling = false;
    if (!this.#opened) {
      this.#opened = true;
      // Opened and reset in one read: nobody waits for the answer, so nobody works for it (rapid reset).
      if (this.outcome !== undefined) return;
      this.#owner.open(this);
      if (this.#head.expectsContinue && !this.#begun && !this.remoteEnded && this.outcome === undefined)
        this.#sayContinue();
    }
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    if (this.#arrived !== NOTHING) this.#tellData(receiver);
    if (this.remoteEnded && !this.#completeTold && !this.#paused && this.outcome === undefined) {
      this.#completeTold = true;
      receiver.complete();
    }
    if (this.drainedDue) {
      this.drainedDue = false;
      if (this.outcome === undefined) receiver.drained();
    }
    if (this.outcome !== undefined) {
      this.#receiver = undefined;
      receiver.closed(this.outcome === "answered");
    }
  }

  /** Counts bytes that need not be kept for the receiver any more. */
  take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < WIDEN_BYTES || this.remoteEnded || this.outcome !== undefined) return;
    this.receiveWindow += this.#taken;
    this.#owner.widen(this, this.#taken);
    this.#taken = 0;
  }

  /** An answer that is there before this has left takes its place. */
  #sayContinue(): void {
    this.headBlock = CONTINUE;
    this.#owner.sendLater(this, 0);
  }

  /** RFC 9110 §9.3.2, §15.3.5, §15.4.5. */
  #mayHaveBody(status: number): boolean {
    return status !== 204 && status !== 304 && this.verb !== "HEAD";
  }

  /** A receiver that pauses within keeps the rest for later. */
  #tellData(receiver: Receiver): void {
    const pieces = this.#arrived;
    this.#arrived = NOTHING;
    for (let at = 0; at < pieces.length; at++) {
      if (this.outcome !== undefined) return;
      if (this.#paused) {
        this.#arrived = pieces.slice(at);
        return;
      }
      const piece = pieces[at] as Buffer;
      this.take(piece.length);
      receiver.data(piece);
    }
  }
}

/** Header block of the interim answer that some callers wait for (RFC 9110 §15.2.1). */
const CONTINUE = encodeHeaders({}, 100);

/** Shared by all streams that have nothing; never changed. */
const NOTHING: Buffer[] = [];
