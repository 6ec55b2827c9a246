import type { Clock, Timer } from "./clock.ts";

/**
 * Timers that all run equally long, on one timer of the clock. Those set first are due first, so a set in the order of
 * setting is all that is kept: to set and to cancel one costs a tenth of a timer of the clock, which counts where
 * every call sets some and hardly any fires. They fire as exactly as the clock's own.
 */
export class EqualTimers {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #waiting = new Set<Waiting>();
  #timer: Timer | undefined;

  /** `delayMs`: how long each of them runs. */
  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** Timers that have neither fired nor been cancelled. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Calls `fn` once, unless it is cancelled before. `fn` must not throw. */
  set(fn: () => void): Timer {
    const waiting = new Waiting(this, this.#clock.monotonic() + this.#delayMs, fn);
    this.#waiting.add(waiting);
    this.#timer ??= this.#clock.setTimer(this.#delayMs, this.#fire);
    return waiting;
  }

  /** For the timers themselves. */
  forget(waiting: Waiting): void {
    // A timer that nobody waits for would keep the process alive.
    if (!this.#waiting.delete(waiting) || this.#waiting.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const waiting of this.#waiting) {
      if (waiting.due > now) {
        // The clock's timer runs until the oldest one was due that it was set for; most are cancelled by then.
        this.#timer ??= this.#clock.setTimer(waiting.due - now, this.#fire);
        return;
      }
      this.#waiting.delete(waiting);
      waiting.fn();
    }
  };
}

/** One of them. */
class Waiting implements Timer {
  readonly due: number;
  readonly fn: () => void;
  readonly #among: EqualTimers;

  constructor(among: EqualTimers, due: number, fn: () => void) {
    this.#among = among;
    this.due = due;
    this.fn = fn;
  }

  cancel(): void {
    this.#among.forget(this);
  }
}
