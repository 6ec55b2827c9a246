import { ConnectionError, ErrorCode } from "./frame.ts";

/**
 * How many times larger than the largest header list a header block may be. One above the limit costs its stream
 * only, as long as it can still be decoded to keep HPACK's table in step; beyond this the connection ends.
 */
const BLOCK_FACTOR = 4;

/** CONTINUATION frames of one block: with frames of 16 KiB two or three are enough (CVE-2024-27983 and its kin). */
const CONTINUATIONS_MAX = 16;

/** A header block that comes in pieces: HEADERS and the CONTINUATION frames behind it (RFC 9113 §4.3, §6.10). */
export class HeaderBlock {
  readonly stream: number;
  /** Flags of HEADERS. */
  readonly flags: number;
  /** When it began, on {@link Clock.monotonic}. */
  readonly begunAt: number;
  readonly #maxBytes: number;
  readonly #pieces: Buffer[];
  #bytes: number;

  constructor(stream: number, flags: number, first: Buffer, begunAt: number, headerListBytes: number) {
    this.stream = stream;
    this.flags = flags;
    this.begunAt = begunAt;
    this.#maxBytes = BLOCK_FACTOR * headerListBytes;
    this.#bytes = first.length;
    this.#pieces = [Buffer.from(first)];
  }

  /** Adds the payload of a CONTINUATION. @throws ConnectionError when it is too much. */
  add(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#maxBytes || this.#pieces.length > CONTINUATIONS_MAX)
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "a header block without end");
    this.#pieces.push(Buffer.from(piece));
  }

  /** All of it. */
  bytes(): Buffer {
    return Buffer.concat(this.#pieces, this.#bytes);
  }
}
