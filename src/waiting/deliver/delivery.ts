import type { Clock } from "../../lib/clock.ts";

/** One who is told that there is something new. What it is he looks up himself: so he gets the latest, never a queue. */
export interface Follower {
  /** Looks whether there is anything for him. Must not throw; called more often than needed. */
  notify(): void;
}

/** Followers that are told in one turn of the event loop: about five milliseconds' worth of writing to sockets. */
const DELIVERY_SLICE = 250;

/**
 * Tells followers, the first ones at once and the others slice by slice, so that ten thousand watchers of one
 * operation do not keep everybody else waiting.
 */
export class Delivery {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notifies everybody who follows now. Those who leave meanwhile are not told. */
  notify(followers: ReadonlySet<Follower>): void {
    if (followers.size === 0) return;
    if (followers.size === 1) {
      for (const only of followers) only.notify();
      return;
    }
    this.#slice([...followers], 0, followers);
  }

  #slice(all: readonly Follower[], from: number, followers: ReadonlySet<Follower>): void {
    const end = Math.min(from + DELIVERY_SLICE, all.length);
    for (let at = from; at < end; at++) {
      const follower = all[at];
      if (follower && followers.has(follower)) follower.notify();
    }
    if (end < all.length) this.#clock.setTimer(0, () => this.#slice(all, end, followers));
  }
}
