/**
 * Time as a parameter: nothing outside this file and the composition root reads a clock or sets a timer,
 * so that hours of polling run in milliseconds under a simulated clock.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. Only for values that meet a calendar (createTime, Retry-After dates). */
  now(): number;
  /** Milliseconds that never go back, whatever happens to the wall clock. Deadlines and intervals are measured on it. */
  monotonic(): number;
  /** Calls `fn` once, `delayMs` from now (negative counts as 0, anything longer than Node can count is cut to 24.8 days). */
  setTimer(delayMs: number, fn: () => void): Timer;
}

/** A timer that has not fired yet. */
export interface Timer {
  /** Forgets the timer; does nothing when it has fired. */
  cancel(): void;
}

/** The longest delay that `setTimeout` keeps: above it Node fires after 1 ms. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, fn) {
    const handle = setTimeout(fn, Math.min(Math.max(delayMs, 0), MAX_TIMEOUT_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};
