import type { Clock } from "../../lib/clock.ts";
import { encodeHeaders } from "./hpack-encoder.ts";
import { Slab } from "./slab.ts";

/** A connection that has something to write. */
export interface Writer {
  write(slab: Slab, date: Buffer): void;
}

/**
 * Collects the connections that have something to write, and lets each write once, behind everything else that this
 * turn of the event loop does: all answers of a turn leave a connection in one piece, and each system call saved is
 * worth more than the rest of a call.
 */
export class Turn {
  readonly #clock: Clock;
  readonly #slab = new Slab();
  #writers: Writer[] = [];
  #date: Buffer = Buffer.alloc(0);
  #dateSecond = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets a connection write at the end of this turn. Called once per turn. */
  add(writer: Writer): void {
    if (this.#writers.push(writer) === 1) setImmediate(() => this.#end());
  }

  #end(): void {
    const writers = this.#writers;
    this.#writers = [];
    const date = this.#dateField();
    for (const writer of writers) writer.write(this.#slab, date);
  }

  /** An answer of a server with a clock has a date (RFC 9110 §6.6.1), which is the same one for a second. */
  #dateField(): Buffer {
    const now = this.#clock.now();
    const second = Math.floor(now / 1_000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = encodeHeaders({ date: new Date(now).toUTCString() });
    }
    return this.#date;
  }
}
