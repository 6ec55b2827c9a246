import type { Clock, Timer } from "../lib/clock.ts";

/**
 * Looks at connections again and again. A round that comes later than the one after it should have, since the process
 * stood still (a machine that is suspended or moved, a container without CPU), waits for one more turn of the event
 * loop: what the peers have sent meanwhile lies in the sockets, and is read before they are judged by their silence.
 */
export class Rounds {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #look: (now: number) => boolean;
  #timer: Timer | undefined;

  /** @param look told the time on the clock's `monotonic()`, says whether there is anything left to look at */
  constructor(clock: Clock, everyMs: number, look: (now: number) => boolean) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#look = look;
  }

  /** Begins, unless they go on already. */
  start(): void {
    this.#timer ??= this.#next();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #next(): Timer {
    const late = this.#clock.monotonic() + 2 * this.#everyMs;
    return this.#clock.setTimer(this.#everyMs, () => {
      if (this.#clock.monotonic() < late) this.#go();
      else this.#timer = this.#clock.setTimer(0, () => this.#go());
    });
  }

  #go(): void {
    this.#timer = undefined;
    if (this.#look(this.#clock.monotonic())) this.start();
  }
}
