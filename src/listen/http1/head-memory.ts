import type { Refusal } from "./refusal.ts";
import { type HeadLimits, type RequestHead, readRequestHead } from "./request-head.ts";

/** Longer heads are read anew: what is remembered is held as long as the connection is open. */
const REMEMBERED_BYTES = 2_048;

/** Callers that send so many different heads in a row, a request id in each, say, have no use for a memory. */
const MISSES = 8;

/**
 * Reads the heads of one connection. A caller mostly sends the same head again, to the byte: the one before is
 * remembered, and comparing costs a tenth of reading. Equal bytes mean the same, so nothing is decided by it.
 */
export class HeadMemory {
  readonly #limits: HeadLimits;
  #bytes: Buffer = NOTHING;
  #head: RequestHead | undefined;
  #misses = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** As {@link readRequestHead}. */
  read(bytes: Buffer, start: number, end: number): RequestHead | Refusal | undefined {
    const last = this.#head;
    if (last !== undefined && end - start >= last.bytes) {
      if (bytes.compare(this.#bytes, 0, last.bytes, start, start + last.bytes) === 0) {
        this.#misses = 0;
        return last;
      }
      if (++this.#misses === MISSES) this.#forget();
    }
    const head = readRequestHead(bytes, start, end, this.#limits);
    if (typeof head === "object" && head.bytes <= REMEMBERED_BYTES && this.#misses < MISSES)
      this.#remember(head, bytes, start);
    return head;
  }

  #remember(head: RequestHead, bytes: Buffer, start: number): void {
    if (this.#bytes.length < head.bytes) this.#bytes = Buffer.allocUnsafeSlow(head.bytes + ROOM);
    bytes.copy(this.#bytes, 0, start, start + head.bytes);
    this.#head = head;
  }

  #forget(): void {
    this.#head = undefined;
    this.#bytes = NOTHING;
  }
}

const NOTHING = Buffer.alloc(0);

/** By how much the next head may be longer without a new buffer: another digit or two. */
const ROOM = 32;
