/** What the end of a wait follows from. Moments on the monotonic clock, spans in milliseconds. */
export interface WaitBounds {
  readonly now: number;
  /** What the caller asked for; `undefined`: as long as the deadline allows. */
  readonly timeoutMs: number | undefined;
  /** Of the RPC; `Infinity` without one. */
  readonly deadline: number;
  /** `waiting.max_wait`. */
  readonly maxWait: number;
}

/** The answer of a wait leaves this long before the deadline, or {@link MARGIN_SHARE} of what is left if that is less. */
const MARGIN_MS = 100;
const MARGIN_SHARE = 0.1;

/**
 * When a wait is answered at the latest. A `timeout` above the deadline is cut to it, with a margin for the way back:
 * that the deadline passes is an error of the RPC, that the timeout passes is not, and clients repeat the former.
 */
export function waitEnd({ now, timeoutMs, deadline, maxWait }: WaitBounds): number {
  const left = Math.max(deadline - now, 0);
  const margin = Math.min(MARGIN_MS, left * MARGIN_SHARE);
  return now + Math.max(Math.min(timeoutMs ?? maxWait, maxWait, left - margin), 0);
}
