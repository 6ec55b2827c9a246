import { MAX_INTERVAL_MS } from "./schedule.ts";

/**
 * For how long a cancel shortens the interval of its operation: a third of this age is the longest interval already,
 * so an older cancel changes nothing.
 */
const REMEMBERED_MS = 3 * MAX_INTERVAL_MS;

/** Cancels remembered at most; beyond it the oldest is forgotten, which costs its waiter a slower poll and no more. */
const MAX_REMEMBERED = 10_000;

/**
 * When cancels passed through the gateway, by share key, for whoever begins to wait only afterwards: the usual client
 * cancels first, and then asks for the end.
 */
export class RecentCancels {
  private readonly times = new Map<string, number>();

  /** A cancel of this operation passed through at `now`, milliseconds on the wall clock. */
  add(key: string, now: number): void {
    this.times.delete(key);
    this.times.set(key, now);
    for (const [oldest, at] of this.times) {
      if (this.times.size <= MAX_REMEMBERED && now - at <= REMEMBERED_MS) break;
      this.times.delete(oldest);
    }
  }

  /** When the last cancel of this operation passed through, if that still matters. */
  at(key: string): number | undefined {
    return this.times.get(key);
  }
}
