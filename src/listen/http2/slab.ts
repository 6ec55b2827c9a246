/** How much is written to a socket at once: four of the largest frames. */
const SLAB_BYTES = 65_536;

/**
 * Where the frames of one write are put together. All connections share one: a write that the kernel takes at once,
 * as nearly all are, leaves it free for the next.
 */
export class Slab {
  bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** How far it is filled. */
  at = 0;

  get room(): number {
    return this.bytes.length - this.at;
  }

  /** Makes an empty slab hold `bytes`, if there is something as large as that. */
  fit(bytes: number): void {
    if (this.at === 0 && bytes > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  add(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Begins again: in new memory when the old one is still `kept` by a socket. */
  clear(kept: boolean): void {
    if (kept || this.bytes.length > SLAB_BYTES) this.bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.at = 0;
  }
}
