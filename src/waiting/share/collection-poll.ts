import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors/reasons.ts";
import type { Delivery, Follower } from "../deliver/delivery.ts";
import type { Observation } from "../facts/observation.ts";
import { type Identity, shareKey } from "../identity.ts";
import {
  ageOf,
  backoff,
  longestInterval,
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  nextInterval,
} from "../schedule/schedule.ts";
import { type CollectionEntry, CollectionView, type GoneReason } from "./collection-view.ts";
import { type CheckListener, EntryCheck } from "./entry-check.ts";
import { showsWhy } from "./filter-fields.ts";
import { Listing, type ListListener, type ListTarget, type ListTools } from "./listing.ts";
import { noRoom } from "./no-room.ts";
import type { ReadCollapse } from "./read-collapse.ts";

/** An operation that is done and that lists leave out can only be deleted; so many passes go by before the next look. */
const DONE_CHECK_PASSES = 30;

/** A page in the middle may be refused because its token is old; this often in a row it is the request. */
const MAX_REFUSED_PASSES = 3;

/** What a collection is watched with. */
export interface CollectionTools extends ListTools {
  readonly random: () => number;
  readonly reads: ReadCollapse;
  readonly delivery: Delivery;
  /** `waiting.max_collection_operations`. Above it the caller is told to filter. */
  readonly maxCollectionOperations: number;
  /** Whether more operations are tracked in all than `waiting.max_operations` allows. */
  readonly overfull: () => boolean;
  readonly over: (poll: CollectionPoll) => void;
}

/** One who follows a collection, at a position in its log. */
export interface CollectionFollower extends Follower {
  readonly position: number;
}

/**
 * Sharing, of whole collections: one pass over the pages at the interval of the youngest operation that runs, for
 * all who watch the same parent with the same filter and right.
 *
 * Lists lag, so what a pass leaves out is read by itself, and it is GONE only
 * - when that read answers 404; or
 * - when the read shows why the filter leaves it out ({@link showsWhy}), and a pass that began after that read leaves
 *   it out again. Until then, and without a filter always, it is part of the collection, and reads tell its changes.
 *
 * After GONE a list may hold the operation still. One that shows it running after it was done is not believed; one
 * that shows what a read did not find is believed when another read finds it. So nothing goes and comes with a lag.
 */
export class CollectionPoll implements ListListener {
  readonly key: string;
  readonly identity: Identity;
  readonly target: ListTarget;
  readonly view = new CollectionView();
  readonly followers = new Set<CollectionFollower>();
  ended: ConnectError | undefined;
  /** When the last pass that is complete began, on the monotonic clock; `undefined` before the first. */
  completed: number | undefined;
  /** The same for callers, on the wall clock. */
  completedTime: number | undefined;
  readonly #tools: CollectionTools;
  readonly #listing: Listing;
  readonly #checks = new Set<string>();
  #pass = 0;
  #begun = 0;
  #begunTime = 0;
  #nextDue = 0;
  #failures = 0;
  #refusals = 0;
  #over = false;

  constructor(key: string, identity: Identity, target: ListTarget, tools: CollectionTools) {
    this.key = key;
    this.identity = identity;
    this.target = target;
    this.#tools = tools;
    this.#listing = new Listing(target, tools, this);
  }

  /** How old a pass may be to be handed to a newcomer. */
  get presentInterval(): number {
    return this.#youngest((age) => longestInterval(age));
  }

  /** When the next pass is due, on the wall clock. */
  get nextReadTime(): number {
    const { steady } = this.#tools;
    return steady.now() + Math.max(this.#nextDue - steady.monotonic(), 0);
  }

  follow(follower: CollectionFollower): void {
    this.followers.add(follower);
    const now = this.#tools.clock.monotonic();
    if (this.completed === undefined || now - this.completed > this.presentInterval) this.#beginAt(now);
  }

  leave(follower: CollectionFollower): void {
    if (this.followers.delete(follower) && this.followers.size === 0) this.#finish();
  }

  /** A cancel has passed through for one of the operations. */
  becomeYoung(name: string): void {
    const entry = this.view.entries.get(name);
    if (!entry || this.#over) return;
    entry.cancelled = this.#tools.clock.monotonic();
    this.#beginAt(Math.max(this.#begun + MIN_INTERVAL_MS, this.#tools.clock.monotonic()));
  }

  begins(now: number): void {
    this.#pass++;
    this.#begun = now;
    this.#begunTime = this.#tools.steady.now();
  }

  page(seen: readonly Observation[]): void {
    for (const one of seen) {
      const standing = this.view.standing(one);
      if (standing === "there") this.view.observe(one, this.#pass, this.#tools.clock.monotonic());
      else if (standing === "doubtful") this.#checkReturned(one.operation.toMessage().name);
    }
    const { size } = this.view.entries;
    const { maxCollectionOperations: most } = this.#tools;
    if (size > most) this.#end(tooLarge(most));
    else if (this.#tools.overfull()) this.#end(noRoom());
    else if (this.completed !== undefined) this.#tools.delivery.notify(this.followers);
  }

  complete(whole: boolean): void {
    if (this.#over) return;
    this.#failures = 0;
    this.#refusals = 0;
    this.completed = this.#begun;
    this.completedTime = this.#begunTime;
    if (whole)
      for (const entry of this.view.entries.values())
        if (entry.listedIn < this.#pass && entry.nextCheck <= this.#pass) this.#check(entry);
    this.#forgetGone();
    this.#beginAt(Math.max(this.#begun + this.#interval(), this.#tools.clock.monotonic()));
    this.#tools.delivery.notify(this.followers);
  }

  failed(error: ConnectError, pages: number): void {
    if (this.#over) return;
    if (this.#tools.meaningOf(error) === "ends") {
      this.#refusals++;
      if (pages === 0 || this.#refusals >= MAX_REFUSED_PASSES) {
        this.#end(error);
        return;
      }
    }
    this.#failures++;
    this.#beginAt(this.#tools.clock.monotonic() + backoff(this.#failures, this.#tools.random()));
  }

  /** Looks at what the pass has left out. */
  #check(entry: CollectionEntry): void {
    this.#read(entry.name, {
      found: (seen) => this.#checkedThere(entry, seen),
      gone: (goneTime) => this.#remove(entry, "not-found", goneTime),
    });
  }

  /** Looks at what a list holds although a read has not found it. */
  #checkReturned(name: string): void {
    this.#read(name, {
      found: (seen) => {
        this.view.observe(seen, this.#pass, this.#tools.clock.monotonic());
        this.#tools.delivery.notify(this.followers);
      },
      gone: () => {},
    });
  }

  /** It is still there although the pass left it out: lag, or the filter does not match any more. */
  #checkedThere(entry: CollectionEntry, seen: Observation): void {
    if (entry.gone) return;
    const { filter } = this.target;
    const differs = filter !== "" && entry.listed !== undefined && showsWhy(filter, entry.listed, seen);
    const confirmed = differs && entry.differsSince !== undefined && entry.differsSince < this.#begun;
    this.view.observe(seen, undefined, this.#tools.clock.monotonic());
    if (entry.listedIn < this.#pass) {
      entry.differsSince = differs ? (entry.differsSince ?? seen.sentAt) : undefined;
      if (confirmed) this.#remove(entry, "filtered-out", seen.readTime);
      else if (seen.done && !differs) entry.nextCheck = this.#pass + DONE_CHECK_PASSES;
    }
    this.#tools.delivery.notify(this.followers);
  }

  #remove(entry: CollectionEntry, reason: GoneReason, goneTime: number): void {
    this.view.remove(entry, reason, { goneTime, at: this.#tools.clock.monotonic() });
    this.#tools.delivery.notify(this.followers);
  }

  /** Reads one operation by itself. A read that fails says nothing: the next pass asks again. */
  #read(name: string, listener: Omit<CheckListener, "over" | "wanted">): void {
    if (this.#checks.has(name)) return;
    this.#checks.add(name);
    const over = (): boolean => {
      this.#checks.delete(name);
      return this.#over;
    };
    const { target, identity } = this;
    const tools = this.#tools;
    const key = shareKey(identity, name);
    new EntryCheck({ key, name, scope: target.scope }, target.authorization, tools, {
      ...listener,
      over,
      wanted: () => this.followers.size > 0,
    }).start();
  }

  #interval(): number {
    return this.#youngest((age) => nextInterval(age, this.#tools.random()));
  }

  #youngest(interval: (age: number) => number): number {
    const { clock, upstreamClock } = this.#tools;
    const now = { upstream: upstreamClock.now(), monotonic: clock.monotonic() };
    let age = Number.POSITIVE_INFINITY;
    for (const { view, firstRead, cancelled } of this.view.entries.values()) {
      const { latest } = view;
      if (!latest || latest.done) continue;
      age = Math.min(age, ageOf({ createTime: latest.facts.createTime, firstRead, cancelled }, now));
    }
    // When nothing runs there is only the new to be found.
    return age === Number.POSITIVE_INFINITY ? MAX_INTERVAL_MS : interval(age);
  }

  #beginAt(due: number): void {
    if (this.#over || this.#listing.begun || (this.#listing.running && this.#nextDue <= due)) return;
    this.#nextDue = due;
    this.#listing.start(due);
  }

  #forgetGone(): void {
    let position = Number.POSITIVE_INFINITY;
    for (const follower of this.followers) position = Math.min(position, follower.position);
    this.view.forgetGone(position);
    this.view.forgetDeparted(this.#tools.clock.monotonic(), this.#tools.maxCollectionOperations);
  }

  #end(error: ConnectError): void {
    if (this.#over) return;
    this.ended = error;
    this.#finish();
    this.#tools.delivery.notify(this.followers);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#listing.stop();
    this.#tools.over(this);
  }
}

function tooLarge(most: number): ConnectError {
  return gatewayError(
    "COLLECTION_TOO_LARGE",
    `more than ${most} operations match (waiting.max_collection_operations); use a filter, or watch single operations`,
  );
}
