/** How much is written to a socket at once: four of the largest frames. */
const WRITE_BYTES = 65_536;

/** A slab with less room than this is given up, and its connections write to a new one: a large frame has to fit. */
const LEAST_ROOM_BYTES = WRITE_BYTES / 4;

/**
 * Where the frames of a write are put together. All connections share one: a write that the kernel takes at once, as
 * nearly all are, leaves its place free for the next; behind one that a socket keeps, the next begins.
 */
export class Slab {
  bytes = Buffer.allocUnsafeSlow(WRITE_BYTES);
  /** How far it is filled. */
  at = 0;
  #start = 0;

  get room(): number {
    return this.bytes.length - this.at;
  }

  /** What has been put together since the last write. */
  get written(): Buffer {
    return this.bytes.subarray(this.#start, this.at);
  }

  /** Makes room for `bytes` where nothing is written yet, if there is something as large as that. */
  fit(bytes: number): void {
    if (bytes <= this.room || this.at > this.#start) return;
    this.bytes = Buffer.allocUnsafeSlow(Math.max(bytes, WRITE_BYTES));
    this.#start = 0;
    this.at = 0;
  }

  add(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Begins the next write: somewhere else when a socket keeps this one. */
  next(kept: boolean): void {
    if (kept) this.#start = this.at;
    else this.at = this.#start;
    if (this.room >= LEAST_ROOM_BYTES && this.bytes.length === WRITE_BYTES) return;
    this.bytes = Buffer.allocUnsafeSlow(WRITE_BYTES);
    this.#start = 0;
    this.at = 0;
  }
}
