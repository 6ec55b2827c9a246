/**
 * Collects a request body that comes in pieces, copying them together as they come: a caller who sends a byte at a
 * time holds no more memory than its bytes (each piece alone would keep the whole read buffer of the socket alive),
 * and nothing is ever added up again.
 */
export class RequestBody {
  #buffer: Buffer;
  /** Bytes that have arrived. */
  length: number;
  /** In how many pieces. */
  pieces = 1;

  constructor(first: Buffer) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(256, 2 * first.length));
    this.#buffer.set(first);
    this.length = first.length;
  }

  add(chunk: Buffer): void {
    const start = this.length;
    this.length += chunk.length;
    this.pieces++;
    if (this.#buffer.length < this.length) {
      const larger = Buffer.allocUnsafeSlow(2 * this.length);
      this.#buffer.copy(larger, 0, 0, start);
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, start);
  }

  /** Everything so far. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }
}
