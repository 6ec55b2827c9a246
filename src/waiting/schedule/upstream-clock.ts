import type { Clock } from "../../lib/clock.ts";
import type { UpstreamAnswerInfo } from "../../upstream/operations-api.ts";

/** A `date` header leaves out the parts of a second: half of one, on average. */
const LEFT_OUT_MS = 500;

/**
 * The wall clock of the upstream, told from the `date` headers of its answers, to a second and the way of an answer
 * (RFC 9110 §6.6.1). Ages of operations are differences to moments that the upstream tells, and the gateway's own clock
 * may be minutes off. Until an answer has shown it, the gateway's stands in.
 */
export class UpstreamClock {
  readonly #clock: Clock;
  /** Wall clock minus monotonic clock. */
  #offset: number | undefined;
  /** The last `date` and what it means: all answers within a second have the same. */
  #date: string | undefined;
  #shown = Number.NaN;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An answer has come just now. One that is no success may be of somebody on the way, with a clock of his own. */
  answered(answer: UpstreamAnswerInfo | undefined): void {
    if (!answer || answer.httpStatus >= 300 || answer.date === undefined) return;
    if (answer.date !== this.#date) {
      this.#date = answer.date;
      this.#shown = Date.parse(answer.date);
    }
    if (!Number.isNaN(this.#shown)) this.#offset = this.#shown + LEFT_OUT_MS - this.#clock.monotonic();
  }

  /** Milliseconds since the Unix epoch. */
  now(): number {
    return this.#offset === undefined ? this.#clock.now() : this.#offset + this.#clock.monotonic();
  }
}
