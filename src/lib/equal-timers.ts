import type { Clock, Timer } from "./clock.ts";

/** One whose time may be up. An object and no function, see end-listeners.ts. */
export interface TimeUp {
  /** Must not throw. */
  timeUp(): void;
}

/**
 * Timers that all run equally long, on one timer of the clock. Those set first are due first, so a list in the order
 * of setting is all that is kept: to set and to cancel one is a few assignments, which counts where every call sets
 * some and hardly any fires. They fire as exactly as the clock's own.
 */
export class EqualTimers {
  readonly #clock: Clock;
  readonly #delayMs: number;
  #oldest: Waiting | undefined;
  #newest: Waiting | undefined;
  #timer: Timer | undefined;

  /** `delayMs`: how long each of them runs. */
  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** Tells `who` once, unless it is cancelled before. */
  set(who: TimeUp): Timer {
    const waiting = new Waiting(this, this.#clock.monotonic() + this.#delayMs, who);
    const before = this.#newest;
    waiting.before = before;
    if (before) before.after = waiting;
    else this.#oldest = waiting;
    this.#newest = waiting;
    this.#timer ??= this.#clock.setTimer(this.#delayMs, this.#fire);
    return waiting;
  }

  /** For the timers themselves: takes one out. */
  remove(waiting: Waiting): void {
    const { before, after } = waiting;
    if (before) before.after = after;
    else this.#oldest = after;
    if (after) after.before = before;
    else this.#newest = before;
    waiting.before = undefined;
    waiting.after = undefined;
    if (this.#oldest) return;
    // A timer that nobody waits for would keep the process alive.
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (let oldest = this.#oldest; oldest; oldest = this.#oldest) {
      if (oldest.due > now) {
        // The clock's timer was set for one that is cancelled by now, as most are.
        this.#timer ??= this.#clock.setTimer(oldest.due - now, this.#fire);
        return;
      }
      oldest.cancel();
      oldest.who.timeUp();
    }
  };
}

/** One of them, and its place in the list. */
class Waiting implements Timer {
  readonly due: number;
  readonly who: TimeUp;
  before: Waiting | undefined;
  after: Waiting | undefined;
  #among: EqualTimers | undefined;

  constructor(among: EqualTimers, due: number, who: TimeUp) {
    this.#among = among;
    this.due = due;
    this.who = who;
    this.before = undefined;
    this.after = undefined;
  }

  cancel(): void {
    this.#among?.remove(this);
    this.#among = undefined;
  }
}
