/**
 * What has arrived on a connection and is not read yet. Mostly that is one chunk as the socket brought it, and nothing
 * is copied; what comes while something lies there is appended to a buffer that has room, so that a caller who sends
 * byte after byte costs no more than its bytes.
 */
export class Unread {
  /** Those from {@link start} to {@link end} are unread. The reader moves `start`, and may overwrite them. */
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;
  /** Whether `bytes` was made here, and has room behind `end`. */
  #own = false;

  get length(): number {
    return this.end - this.start;
  }

  push(chunk: Buffer): void {
    if (this.start === this.end) {
      this.bytes = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.#own = false;
      return;
    }
    const { length } = this;
    if (!this.#own || this.end + chunk.length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(length + chunk.length + ROOM);
      this.bytes.copy(larger, 0, this.start, this.end);
      this.bytes = larger;
      this.start = 0;
      this.end = length;
      this.#own = true;
    }
    chunk.copy(this.bytes, this.end);
    this.end += chunk.length;
  }

  /** Lets go of the memory once everything is read. */
  release(): void {
    if (this.start < this.end) return;
    this.bytes = NOTHING;
    this.start = 0;
    this.end = 0;
  }
}

const NOTHING = Buffer.alloc(0);

/** So much may come in small pieces before the buffer grows again. Not doubled: every connection may hold one. */
const ROOM = 8_192;
