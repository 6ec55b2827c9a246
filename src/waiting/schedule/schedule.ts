/**
 * Scheduling, first half: when the next read of an operation is due. Pure functions of age and chance; the second
 * half, whether it may be sent then, is read-budget.ts.
 *
 * The interval follows the age: what has run for a minute is read every twenty seconds, what has just begun every
 * second. A completion is therefore noticed within a third of the time that the operation took, and a poller of an
 * operation of one minute makes about 16 reads, where clients that begin at 100 ms make dozens.
 */

/** Shortest time between two polls of an operation, jitter included. Operations take minutes; faster is waste. */
export const MIN_INTERVAL_MS = 1_000;

/** Longest time between two polls of an operation, however old it is. */
export const MAX_INTERVAL_MS = 20_000;

/** The next poll is due after this share of the operation's age. */
const AGE_SHARE = 1 / 3;

/** Intervals are shortened by up to this share, at random, so that operations begun together are not read together. */
export const JITTER = 0.1;

/** Longest wait after failed reads of an operation. */
const MAX_BACKOFF_MS = 20_000;

/** The longest that the poll of an operation of this age may lie back: its interval without jitter. Milliseconds. */
export function longestInterval(ageMs: number): number {
  return Math.min(Math.max(ageMs * AGE_SHARE, MIN_INTERVAL_MS), MAX_INTERVAL_MS);
}

/** Milliseconds from one poll to the next at this age. `chance` is random in [0, 1). */
export function nextInterval(ageMs: number, chance: number): number {
  return Math.max(longestInterval(ageMs) * (1 - JITTER * chance), MIN_INTERVAL_MS);
}

/** Milliseconds to wait after so many failed reads in a row (1 or more). `chance` is random in [0, 1). */
export function backoff(failures: number, chance: number): number {
  const wait = Math.min(MIN_INTERVAL_MS * 2 ** (failures - 1), MAX_BACKOFF_MS);
  return Math.max(wait * (1 - JITTER * chance), MIN_INTERVAL_MS);
}

/** What the age of an operation is told from. */
export interface AgeFacts {
  /** When the upstream says it was created, milliseconds since the Unix epoch. */
  readonly createTime: number | undefined;
  /** When this gateway first read it, on the monotonic clock, for operations that do not say. */
  readonly firstRead: number | undefined;
  /** When a cancel last passed through the gateway, on the monotonic clock: the end of the operation is near then. */
  readonly cancelled: number | undefined;
}

/** The present, milliseconds: what each moment of {@link AgeFacts} is compared with. */
export interface AgeNow {
  /** See upstream-clock.ts. */
  readonly upstream: number;
  readonly monotonic: number;
}

/** The age that the schedule goes by, milliseconds; a cancel makes young. Never below 0, whatever the clocks say. */
export function ageOf({ createTime, firstRead, cancelled }: AgeFacts, now: AgeNow): number {
  const age =
    createTime === undefined ? now.monotonic - (firstRead ?? now.monotonic) : now.upstream - createTime;
  return Math.max(Math.min(age, now.monotonic - (cancelled ?? Number.NEGATIVE_INFINITY)), 0);
}
