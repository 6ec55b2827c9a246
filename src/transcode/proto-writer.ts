/** How far the output may be from its end before it grows: more than any single write but a string's bytes. */
const SLACK = 256;

/**
 * Writes protobuf's wire format (https://protobuf.dev/programming-guides/encoding/) front to back into one buffer that
 * is used again for each message. The length of an embedded message is known only behind it: room is left for as many
 * bytes as it took the last time, and the message is moved where that was wrong.
 */
export class ProtoWriter {
  protected out: Uint8Array = new Uint8Array(64 * 1024);
  protected pos = 0;

  /** Makes sure of {@link SLACK} bytes beside `bytes`. To be called before each value; `out` may be another one then. */
  protected reserve(bytes: number): void {
    if (this.out.length - this.pos >= bytes + SLACK) return;
    const larger = new Uint8Array(Math.max(this.out.length * 2, this.pos + bytes + SLACK));
    larger.set(this.out.subarray(0, this.pos));
    this.out = larger;
  }

  /** A varint below 2^53. */
  protected varint(value: number): void {
    const { out } = this;
    let { pos } = this;
    let rest = value;
    while (rest >= 0x80000000) {
      out[pos++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      out[pos++] = (rest & 127) | 0x80;
      rest >>>= 7;
    }
    out[pos++] = rest;
    this.pos = pos;
  }

  protected bytes(bytes: Uint8Array): void {
    this.out.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** A length-delimited field of known content. */
  protected tagged(tag: number, bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.varint(tag);
    this.varint(bytes.length);
    this.bytes(bytes);
  }

  /**
   * Begins a length-delimited field: its tag, and room for a length of `size` bytes. Returns where its content starts,
   * for {@link close}.
   */
  protected open(tag: number, size: number): number {
    this.varint(tag);
    this.pos += size;
    return this.pos;
  }

  readonly #float = new Float64Array(1);
  readonly #floatBytes = new Uint8Array(this.#float.buffer);

  /** A double, little-endian as every platform of Node is. */
  protected double(value: number): void {
    this.#float[0] = value;
    this.bytes(this.#floatBytes);
  }

  /** Puts the length of what was written since `start` before it; `size` bytes were left for that. Returns its size. */
  protected close(start: number, size: number): number {
    const length = this.pos - start;
    const needed = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : 4;
    if (needed !== size) {
      this.out.copyWithin(start - size + needed, start, this.pos);
      this.pos += needed - size;
    }
    let at = start - size;
    let rest = length;
    for (; rest > 127; rest >>>= 7) this.out[at++] = (rest & 127) | 0x80;
    this.out[at] = rest;
    return needed;
  }
}
