import { type Clock, systemClock, type Timer } from "../../src/lib/clock.ts";

/** A clock that runs faster than the machine's, for real sockets with waits of seconds. */
export class FastClock implements Clock {
  private readonly factor: number;
  private readonly start = performance.now();

  constructor(factor: number) {
    this.factor = factor;
  }

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return (performance.now() - this.start) * this.factor;
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    return systemClock.setTimer(delayMs / this.factor, fn);
  }
}
