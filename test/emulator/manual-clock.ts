import type { Clock } from "../../src/lib/clock.ts";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves time on and fires the timers that are due, in their order. */
  advance(ms: number): void;
}

/** Creates a {@link ManualClock} that stands at 2026-03-01T00:00:00Z. */
export function manualClock(): ManualClock {
  let elapsed = 0;
  let timers: { at: number; fn: () => void }[] = [];
  return {
    now: () => Date.UTC(2026, 2, 1) + elapsed,
    monotonic: () => elapsed,
    setTimer(delayMs, fn) {
      const timer = { at: elapsed + Math.max(0, delayMs), fn };
      timers.push(timer);
      return {
        cancel() {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    advance(ms) {
      const end = elapsed + ms;
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((timer) => timer !== next);
        elapsed = next.at;
        next.fn();
      }
      elapsed = end;
    },
  };
}
