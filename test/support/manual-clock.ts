import type { Clock, Timer } from "../../src/lib/clock.ts";

/** A clock that stands still until the test moves it; timers fire in order on the way. */
export class ManualClock implements Clock {
  private time: number;
  private readonly timers = new Set<{ at: number; readonly fn: () => void }>();
  private readonly epoch: number;

  constructor(start = 1_000_000, epoch = Date.UTC(2026, 10, 24)) {
    this.time = start;
    this.epoch = epoch;
  }

  now(): number {
    return this.epoch + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const timer = { at: this.time + Math.max(delayMs, 0), fn };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.timers.size;
  }

  /** Moves time on, firing what becomes due; promises run in between. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const next = [...this.timers].sort((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.timers.delete(next);
      this.time = next.at;
      next.fn();
    }
    this.time = end;
    await settle();
  }
}

/** Lets promises that are ready run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
