import type { Clock } from "../../lib/clock.ts";

/**
 * A clock whose wall never goes back and never stands still: when the machine's is set back, it goes on at the pace
 * of time. For `read_time`, which must not go back within a stream; ages are told by the upstream's clock, see
 * upstream-clock.ts.
 */
export function steadyClock(clock: Clock): Clock {
  let wall = clock.now();
  let at = clock.monotonic();
  return {
    now: () => {
      const now = clock.monotonic();
      wall = Math.max(clock.now(), wall + (now - at));
      at = now;
      return wall;
    },
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs, fn) => clock.setTimer(delayMs, fn),
  };
}
