import { CHUNKED } from "../../lib/http1/body-length.ts";
import { ChunkedBody } from "../../lib/http1/chunked-body.ts";
import type { Span } from "../../lib/http1/span.ts";
import { ANSWER_HEAD_LIMITS, type AnswerHead, readAnswerHead, UNTIL_CLOSE } from "./answer-head.ts";

/** Told what an answer brings, as it comes. */
export interface AnswerSink {
  onHead(head: AnswerHead): void;
  /** A piece of the body, for the sink to keep; never empty. */
  onData(data: Buffer): void;
}

/** Of a head so many bytes are kept while it is not complete: twice what it may hold, for what is not counted. */
const UNFINISHED_HEAD_BYTES = 2 * ANSWER_HEAD_LIMITS.headerListBytes;

/**
 * Reads one answer after another from what a connection brings, however it is cut. Everything that is handed on is
 * copied: the bytes are read into the same buffer again.
 */
export class AnswerReader {
  /** Bytes that came with the last answer and are not part of it. */
  get extraBytes(): number {
    return this.#unread.length;
  }

  readonly #sink: AnswerSink;
  readonly #unread = new Unread();
  #head: AnswerHead | undefined;
  #left = 0;
  #chunks: ChunkedBody | undefined;
  /** The beginning of a head. */
  #begun: Buffer = NOTHING;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** The head of the answer that is being read, once it is here. */
  get head(): AnswerHead | undefined {
    return this.#head;
  }

  /** Begins with the next answer. */
  reset(): void {
    this.#head = undefined;
    this.#chunks = undefined;
    this.#begun = NOTHING;
    this.#unread.set(NOTHING, 0);
  }

  /** Reads the first `size` of `bytes`. `malformed`: this is no answer, and nobody knows what comes next. */
  read(bytes: Buffer, size: number): "more" | "complete" | "malformed" {
    const unread = this.#unread;
    if (this.#begun.length === 0) unread.set(bytes, size);
    else {
      const whole = Buffer.concat([this.#begun, bytes.subarray(0, size)]);
      unread.set(whole, whole.length);
      this.#begun = NOTHING;
    }
    const head = this.#head ?? this.#readHead(unread);
    if (typeof head === "string") return head;
    return this.#readBody(head, unread);
  }

  /** Whether the answer is complete, now that the connection has ended. */
  get endsHere(): boolean {
    return this.#head?.bodyBytes === UNTIL_CLOSE;
  }

  #readHead(unread: Unread): AnswerHead | "more" | "malformed" {
    for (;;) {
      const head = readAnswerHead(unread.bytes, unread.start, unread.end);
      if (head === "malformed") return head;
      if (head === undefined) {
        if (unread.length > UNFINISHED_HEAD_BYTES) return "malformed";
        this.#begun = Buffer.from(unread.bytes.subarray(unread.start, unread.end));
        return "more";
      }
      // RFC 9110 §15.2.2: nothing asks for another protocol.
      if (head.status === 101) return "malformed";
      unread.start += head.bytes;
      // Informational heads come before the answer's own (RFC 9110 §15.2).
      if (head.status < 200) continue;
      this.#head = head;
      this.#left = head.bodyBytes;
      if (head.bodyBytes === CHUNKED) this.#chunks = new ChunkedBody(ANSWER_HEAD_LIMITS);
      this.#sink.onHead(head);
      return head;
    }
  }

  #readBody(head: AnswerHead, unread: Unread): "more" | "complete" | "malformed" {
    if (this.#chunks !== undefined) {
      const data = this.#chunks.read(unread);
      const { progress } = this.#chunks;
      if (data !== undefined) this.#sink.onData(Buffer.from(data));
      return progress === "broken" ? "malformed" : progress;
    }
    const size = head.bodyBytes === UNTIL_CLOSE ? unread.length : Math.min(this.#left, unread.length);
    this.#left -= size;
    const data =
      size === 0 ? undefined : Buffer.from(unread.bytes.subarray(unread.start, unread.start + size));
    unread.start += size;
    if (data !== undefined) this.#sink.onData(data);
    return this.#left === 0 ? "complete" : "more";
  }
}

const NOTHING = Buffer.alloc(0);

class Unread implements Span {
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;

  get length(): number {
    return this.end - this.start;
  }

  set(bytes: Buffer, end: number): void {
    this.bytes = bytes;
    this.start = 0;
    this.end = end;
  }
}
