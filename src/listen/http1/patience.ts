import { type ListenerLimits, UNREAD_CALLER_MS } from "../limits.ts";

/**
 * What a connection is doing, and so what it is given time for: `idle` between requests, `head` of a request arriving,
 * `body` arriving, `answer` being made, `unread` when the caller has meanwhile sent more than is read, `leaving` when the
 * answer is complete but not gone, `closing` after the last one.
 */
export type Phase = "idle" | "head" | "body" | "answer" | "unread" | "leaving" | "closing";

/**
 * How long a caller is still read after the last answer. Closing at once would make the kernel reset the connection
 * under unread data, and the caller would lose the answer (RFC 9112 §9.6).
 */
const LINGER_MS = 1_000;

/**
 * How long a connection may stay in a phase. It is asked now and then what a connection is doing, instead of being told
 * of each change: a call then costs neither a timer nor a look at the clock, and an end comes one look late at most.
 */
export class Patience {
  readonly #limits: ListenerLimits;
  #phase: Phase = "head";
  #requests = 0;
  #since: number;

  /** `now`, here as below, on the clock's `monotonic()`. */
  constructor(limits: ListenerLimits, now: number) {
    this.#limits = limits;
    this.#since = now;
  }

  /**
   * Whether the connection, in this phase of its request of this number, has been in it for too long, since it began or
   * since this was last true.
   */
  isOver(phase: Phase, requests: number, now: number): boolean {
    if (phase !== this.#phase || requests !== this.#requests) {
      this.#phase = phase;
      this.#requests = requests;
      this.#since = now;
    }
    if (now - this.#since < this.#timeFor(phase)) return false;
    this.#since = now;
    return true;
  }

  #timeFor(phase: Phase): number {
    const { headersMs, keepAliveMs } = this.#limits;
    switch (phase) {
      case "head":
        return headersMs;
      case "body":
        // The RPC path answers a late body itself and sooner; this ends what never reached it.
        return 2 * headersMs;
      case "answer":
        return Number.POSITIVE_INFINITY;
      case "unread":
        return UNREAD_CALLER_MS;
      case "closing":
        return LINGER_MS;
      default:
        return keepAliveMs;
    }
  }
}
