/**
 * Collects a request body. The usual body is one piece and stays what it is; more pieces are copied together as they
 * come, so that a caller who sends a byte at a time holds no more memory than its bytes (each piece alone would keep
 * the whole read buffer of the socket alive), and nothing is ever added up again.
 */
export class RequestBody {
  #buffer: Buffer | undefined;
  #owned = false;
  /** Bytes that have arrived. */
  length = 0;

  add(chunk: Buffer): void {
    const before = this.#buffer;
    const start = this.length;
    this.length += chunk.length;
    if (before === undefined) {
      this.#buffer = chunk;
      return;
    }
    if (!this.#owned || before.length < this.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(256, 2 * this.length));
      before.copy(larger, 0, 0, start);
      this.#buffer = larger;
      this.#owned = true;
    }
    this.#buffer?.set(chunk, start);
  }

  /** Everything so far. */
  bytes(): Buffer {
    return this.#buffer === undefined ? NOTHING : this.#buffer.subarray(0, this.length);
  }
}

const NOTHING = Buffer.alloc(0);
