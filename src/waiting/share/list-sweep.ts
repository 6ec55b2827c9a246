import type { ConnectError } from "@connectrpc/connect";
import type { Timer } from "../../lib/clock.ts";
import type { Observation } from "../facts/observation.ts";
import { backoff, MIN_INTERVAL_MS } from "../schedule/schedule.ts";
import { Listing, type ListListener, type ListTarget, type ListTools } from "./listing.ts";
import type { SharedPoll } from "./shared-poll.ts";

/** After a lag of the list was seen, single reads take over for so long; doubled each time, up to the next. */
const LAG_SUSPENSION_MS = 60_000;
const MAX_SUSPENSION_MS = 600_000;

/** A collection that cannot be listed, or whose pages are more than its watched operations, is looked at again then. */
const USELESS_SUSPENSION_MS = 600_000;

/** After so many passes in a row that broke off, single reads take over. */
const MAX_FAILURES = 3;

/** Operations that single reads have found done, kept to see whether the list knows it. */
const MAX_REMEMBERED = 1_000;

/**
 * Sharing, of many operations: where enough operations of one collection are watched with the same right, one list
 * replaces their single reads. The list is not trusted blindly: what it leaves out is read by itself, and one member
 * of each sweep is read beside it; if a read says done where a list that was asked later says running, the list lags
 * and is left alone for a while.
 */
export class ListSweep implements ListListener {
  /** Members are read by the sweep and not by themselves. */
  active = false;
  /** When the next sweep begins, on the monotonic clock. */
  nextDue = 0;
  readonly members = new Map<string, SharedPoll>();
  readonly #listing: Listing;
  readonly #tools: ListTools;
  readonly #threshold: number;
  readonly #listed = new Set<SharedPoll>();
  readonly #doneByRead = new Map<string, number>();
  #begun = Number.NEGATIVE_INFINITY;
  #sweeps = 0;
  #sampled = 0;
  #lags = 0;
  #lagging = false;
  #failures = 0;
  #suspension: Timer | undefined;

  constructor(target: ListTarget, tools: ListTools, threshold: number) {
    this.#tools = tools;
    this.#threshold = threshold;
    this.#listing = new Listing(target, tools, this);
  }

  /** Takes a member in; enough of them start the sweeping. */
  join(poll: SharedPoll): void {
    this.members.set(poll.target.name, poll);
    poll.sweep = this;
    if (!this.active) this.#consider();
  }

  /** Lets a member go; too few of them end the sweeping. */
  leave(poll: SharedPoll): void {
    this.members.delete(poll.target.name);
    this.#listed.delete(poll);
    // Half the threshold: one that comes and goes must not switch back and forth.
    if (this.active && this.members.size < this.#threshold / 2) this.#stop();
    if (this.members.size > 0) return;
    this.#suspension?.cancel();
    this.#suspension = undefined;
  }

  /** A member waits for its first read: the next sweep begins as soon as two sweeps may follow each other. */
  hurry(): void {
    this.#beginAt(Math.max(this.#begun + MIN_INTERVAL_MS, this.#tools.clock.monotonic()));
  }

  /** A member's interval has become shorter. */
  memberIsYoung(poll: SharedPoll): void {
    this.#beginAt(Math.max(this.#begun + poll.interval, this.#tools.clock.monotonic()));
  }

  /** A single read has found a member done: lists that are asked later must know. */
  finishedByRead(name: string, sentAt: number): void {
    if (this.#doneByRead.size < MAX_REMEMBERED) this.#doneByRead.set(name, sentAt);
  }

  begins(now: number): void {
    this.#begun = now;
  }

  page(seen: readonly Observation[]): void {
    for (const one of seen) {
      const { name } = one.operation.toMessage();
      const finished = this.#doneByRead.get(name);
      if (finished !== undefined && finished < one.sentAt && !one.done) this.#lagging = true;
      const poll = this.members.get(name);
      if (!poll) continue;
      this.#listed.add(poll);
      poll.observe(one, true);
    }
  }

  complete(_whole: boolean, pages: number): void {
    const missing = [...this.members.values()].filter((poll) => !this.#listed.has(poll));
    this.#endSweep();
    if (!this.active) return;
    this.#failures = 0;
    if (this.#lagging) {
      this.#lagging = false;
      this.#suspend(Math.min(LAG_SUSPENSION_MS * 2 ** this.#lags++, MAX_SUSPENSION_MS));
    } else if (pages >= this.members.size) this.#suspend(USELESS_SUSPENSION_MS);
    else {
      this.#sample();
      for (const poll of missing) poll.readDirectly();
      this.#scheduleNext();
    }
  }

  failed(error: ConnectError, pages: number): void {
    const missing = [...this.members.values()].filter((poll) => !this.#listed.has(poll));
    this.#endSweep();
    if (!this.active) return;
    this.#failures++;
    // A page token may expire; that says nothing about the first page.
    if (this.#tools.meaningOf(error) === "ends" && pages === 0) this.#suspend(USELESS_SUSPENSION_MS);
    else if (this.#failures >= MAX_FAILURES) this.#suspend(LAG_SUSPENSION_MS);
    else {
      if (pages > 0) for (const poll of missing) poll.readDirectly();
      this.#beginAt(this.#tools.clock.monotonic() + backoff(this.#failures, 0));
    }
  }

  #consider(): void {
    if (this.#suspension || this.members.size < this.#threshold) return;
    this.active = true;
    for (const poll of this.members.values()) poll.sweepChanged();
    this.hurry();
  }

  #suspend(ms: number): void {
    this.#failures = 0;
    this.#stop();
    this.#suspension = this.#tools.clock.setTimer(ms, () => {
      this.#suspension = undefined;
      this.#consider();
    });
  }

  #stop(): void {
    if (!this.active) return;
    this.active = false;
    this.#listing.stop();
    this.#endSweep();
    for (const poll of this.members.values()) poll.sweepChanged();
  }

  #beginAt(due: number): void {
    if (!this.active || this.#listing.begun || (this.#listing.running && this.nextDue <= due)) return;
    this.nextDue = due;
    this.#listing.start(due);
  }

  /** A sweep runs at the interval of its youngest member. */
  #scheduleNext(): void {
    let interval = Number.POSITIVE_INFINITY;
    for (const poll of this.members.values()) interval = Math.min(interval, poll.interval);
    this.#beginAt(Math.max(this.#begun + interval, this.#tools.clock.monotonic()));
  }

  #endSweep(): void {
    this.#listed.clear();
    // What was remembered before the sweep began, the sweep has confirmed.
    for (const [name, sentAt] of this.#doneByRead) if (sentAt < this.#begun) this.#doneByRead.delete(name);
  }

  /** Reads one member by itself: by turns one after the other, and the one that is most likely done. */
  #sample(): void {
    this.#sweeps++;
    const candidates = [...this.members.values()];
    const turn = this.#sweeps % 2 === 0;
    const one = turn ? mostAdvanced(candidates) : candidates[this.#sampled++ % candidates.length];
    one?.readDirectly();
  }
}

function mostAdvanced(polls: readonly SharedPoll[]): SharedPoll | undefined {
  let best: SharedPoll | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const poll of polls) {
    const counters = poll.latest?.facts.counters;
    const pending = counters ? Number(counters.pending) : Number.POSITIVE_INFINITY;
    if (pending < least || !best) [best, least] = [poll, pending];
  }
  return best;
}
