import { ConnectionError, ErrorCode, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES, PREFACE } from "./frame.ts";

/** Takes the frames of a connection. */
export interface FrameSink {
  /**
   * A whole frame, whose payload is `bytes` from `start` to `end`. Nobody writes to these bytes again.
   *
   * @throws ConnectionError to stop the reading.
   */
  frame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void;
}

/** The first piece of a frame that comes in pieces gets this much room, so that a few bytes keep no read buffer. */
const PIECE_BYTES = 64;

/**
 * Cuts what a socket reads into frames, after the preface (RFC 9113 §3.4, §4.1). A frame within one read is handed on
 * where it lies; only one that goes over the end of a read is copied together, into no more memory than twice what has
 * arrived of it.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #prefaceBytes = 0;
  /** The beginning of a frame, and how many bytes of it are here. */
  #piece: Buffer | undefined;
  #pieceBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /**
   * Hands on all frames that are complete with this chunk.
   *
   * @throws ConnectionError, the sink's own or for bytes that are no HTTP/2.
   */
  read(chunk: Buffer): void {
    let at = this.#prefaceBytes < PREFACE.length ? this.#readPreface(chunk) : 0;
    if (this.#piece !== undefined) at = this.#complete(this.#piece, chunk, at);
    const end = chunk.length;
    while (end - at >= FRAME_HEADER_BYTES) {
      const next = at + FRAME_HEADER_BYTES + payloadBytes(chunk, at);
      if (next > end) break;
      this.#emit(chunk, at, next);
      at = next;
    }
    if (at < end) this.#keep(chunk, at);
  }

  #emit(bytes: Buffer, at: number, next: number): void {
    const stream =
      (((bytes[at + 5] as number) & 0x7f) << 24) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 8) |
      (bytes[at + 8] as number);
    const type = bytes[at + 3] as number;
    this.#sink.frame(type, bytes[at + 4] as number, stream, bytes, at + FRAME_HEADER_BYTES, next);
  }

  #readPreface(chunk: Buffer): number {
    const length = Math.min(chunk.length, PREFACE.length - this.#prefaceBytes);
    const expected = PREFACE.subarray(this.#prefaceBytes, this.#prefaceBytes + length);
    if (!chunk.subarray(0, length).equals(expected))
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "not the preface of HTTP/2");
    this.#prefaceBytes += length;
    return length;
  }

  /** Adds to a frame that has begun in an earlier chunk. Returns how far the chunk is used up. */
  #complete(piece: Buffer, chunk: Buffer, at: number): number {
    const used = this.#append(piece, chunk, at, FRAME_HEADER_BYTES);
    const begun = this.#piece as Buffer;
    if (this.#pieceBytes < FRAME_HEADER_BYTES) return used;
    const frameBytes = FRAME_HEADER_BYTES + payloadBytes(begun, 0);
    const next = this.#append(begun, chunk, used, frameBytes);
    if (this.#pieceBytes < frameBytes) return next;
    const frame = this.#piece as Buffer;
    this.#piece = undefined;
    this.#emit(frame, 0, frameBytes);
    return next;
  }

  /** Fills the piece up to `goal` bytes, as far as the chunk reaches. */
  #append(piece: Buffer, chunk: Buffer, at: number, goal: number): number {
    const before = this.#pieceBytes;
    const next = Math.max(at, Math.min(chunk.length, at + goal - before));
    const after = before + next - at;
    let into = piece;
    if (after > piece.length) {
      into = Buffer.allocUnsafeSlow(Math.min(goal, 2 * after));
      into.set(piece.subarray(0, before));
      this.#piece = into;
    }
    chunk.copy(into, before, at, next);
    this.#pieceBytes = after;
    return next;
  }

  #keep(chunk: Buffer, at: number): void {
    this.#piece = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, chunk.length - at));
    this.#pieceBytes = chunk.copy(this.#piece, 0, at);
  }
}

function payloadBytes(bytes: Buffer, at: number): number {
  const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  if (length > FRAME_PAYLOAD_BYTES)
    throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
  return length;
}
