/** Frames that leave in one write: copied together as they come, so that a call makes no garbage of its own. */
export class Outbox {
  private bytes = Buffer.allocUnsafe(64 * 1024);
  private length = 0;

  /** Adds a frame, with this stream in its header where one is given. */
  add(frame: Buffer, stream?: number): void {
    if (this.length + frame.length > this.bytes.length)
      this.bytes = Buffer.concat([this.bytes], 2 * (this.bytes.length + frame.length));
    frame.copy(this.bytes, this.length);
    if (stream !== undefined) this.bytes.writeUInt32BE(stream, this.length + 5);
    this.length += frame.length;
  }

  /** All frames since the last time; `undefined` if there are none. */
  take(): Buffer | undefined {
    if (this.length === 0) return undefined;
    // A copy: the socket may not be done with it when the next frames come.
    const taken = Buffer.from(this.bytes.subarray(0, this.length));
    this.length = 0;
    return taken;
  }
}
