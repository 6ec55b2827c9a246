import { MAX_INTERVAL_MS } from "./schedule.ts";

/**
 * For how long a cancel shortens the interval of its operation: a third of this age is the longest interval already,
 * so an older cancel changes nothing.
 */
const REMEMBERED_MS = 3 * MAX_INTERVAL_MS;

/** Cancels remembered at most; beyond it the older half is forgotten, which costs its waiters slower polls and no more. */
const MAX_REMEMBERED = 20_000;

/**
 * When cancels passed through the gateway, by share key, for whoever begins to wait only afterwards: the usual client
 * cancels first, and then asks for the end.
 *
 * In two generations, of which the older one is forgotten as a whole: a map whose oldest entry makes room for each new
 * one has to look past the gaps of all that went before, and that was a fiftieth of the CPU of a cancel.
 */
export class RecentCancels {
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  /** When the young generation began, on the monotonic clock. */
  #since = 0;

  /** A cancel of this operation passed through at `now`, milliseconds on the monotonic clock. */
  add(key: string, now: number): void {
    if (this.#young.size >= MAX_REMEMBERED / 2 || now - this.#since > REMEMBERED_MS) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#since = now;
    }
    this.#young.set(key, now);
  }

  /** When the last cancel of this operation passed through, if that still matters. */
  at(key: string): number | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }
}
