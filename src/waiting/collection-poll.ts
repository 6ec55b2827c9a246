import { Code, type ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import { type CollectionEntry, CollectionView } from "./collection-view.ts";
import type { Delivery, Follower } from "./delivery.ts";
import type { DueQueue } from "./due-queue.ts";
import { type Identity, shareKey } from "./identity.ts";
import { Listing, type ListListener, type ListTarget, type ListTools } from "./listing.ts";
import type { Observation } from "./observation.ts";
import { READ_TIMEOUT_MS, type ReadCollapse, type Reader } from "./read-collapse.ts";
import type { Poll, ReadTicket } from "./read-scope.ts";
import {
  ageOf,
  backoff,
  longestInterval,
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  nextInterval,
} from "./schedule.ts";

/** Operations that one stream of a collection may be about. Above it the caller is told to filter. */
export const MAX_COLLECTION_OPERATIONS = 5_000;

/** A page in the middle may be refused because its token is old; this often in a row it is the request. */
const MAX_REFUSED_PASSES = 3;

/** What a collection is watched with. */
export interface CollectionTools extends ListTools {
  readonly random: () => number;
  readonly reads: ReadCollapse;
  readonly delivery: Delivery;
  /** Whether there is room for another operation; beyond the limit of the one collection. */
  readonly room: () => boolean;
  readonly over: (poll: CollectionPoll) => void;
}

/** One who follows a collection, at a position in its log. */
export interface CollectionFollower extends Follower {
  readonly position: number;
}

/**
 * Sharing, of whole collections: one pass over the pages at the interval of the youngest operation that runs, for
 * all who watch the same parent with the same filter and right. What a pass leaves out is gone only when a read of
 * it says why.
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
  private readonly tools: CollectionTools;
  private readonly listing: Listing;
  private readonly checks = new Set<string>();
  private pass = 0;
  private begun = 0;
  private begunTime = 0;
  private nextDue = 0;
  private failures = 0;
  private refusals = 0;
  private over = false;

  constructor(key: string, identity: Identity, target: ListTarget, tools: CollectionTools) {
    this.key = key;
    this.identity = identity;
    this.target = target;
    this.tools = tools;
    this.listing = new Listing(target, tools, this);
  }

  /** How old a pass may be to be handed to a newcomer. */
  get presentInterval(): number {
    return this.youngest((age) => longestInterval(age));
  }

  /** When the next pass is due, on the wall clock. */
  get nextReadTime(): number {
    const { steady } = this.tools;
    return steady.now() + Math.max(this.nextDue - steady.monotonic(), 0);
  }

  follow(follower: CollectionFollower): void {
    this.followers.add(follower);
    const now = this.tools.clock.monotonic();
    if (this.completed === undefined || now - this.completed > this.presentInterval) this.beginAt(now);
  }

  leave(follower: CollectionFollower): void {
    if (this.followers.delete(follower) && this.followers.size === 0) this.finish();
  }

  /** A cancel has passed through for one of the operations. */
  becomeYoung(name: string): void {
    const entry = this.view.entries.get(name);
    if (!entry || this.over) return;
    entry.cancelled = this.tools.clock.now();
    this.beginAt(Math.max(this.begun + MIN_INTERVAL_MS, this.tools.clock.monotonic()));
  }

  begins(now: number): void {
    this.pass++;
    this.begun = now;
    this.begunTime = this.tools.steady.now();
  }

  page(seen: readonly Observation[]): void {
    for (const one of seen) this.view.observe(one, this.pass, this.tools.clock.now());
    const { size } = this.view.entries;
    if (size > MAX_COLLECTION_OPERATIONS) this.end(tooLarge());
    else if (!this.tools.room()) this.end(noRoom());
    else if (this.completed !== undefined) this.tools.delivery.notify(this.followers);
  }

  complete(whole: boolean): void {
    if (this.over) return;
    this.failures = 0;
    this.refusals = 0;
    this.completed = this.begun;
    this.completedTime = this.begunTime;
    if (whole)
      for (const entry of this.view.entries.values()) if (entry.listedIn < this.pass) this.check(entry);
    this.forgetGone();
    this.beginAt(Math.max(this.begun + this.interval(), this.tools.clock.monotonic()));
    this.tools.delivery.notify(this.followers);
  }

  failed(error: ConnectError, pages: number): void {
    if (this.over) return;
    if (this.tools.meaningOf(error) === "ends") {
      this.refusals++;
      if (pages === 0 || this.refusals >= MAX_REFUSED_PASSES) {
        this.end(error);
        return;
      }
    }
    this.failures++;
    this.beginAt(this.tools.clock.monotonic() + backoff(this.failures, this.tools.random()));
  }

  /** The upstream does not have it any more, or never had. */
  checkedGone(entry: CollectionEntry, readTime: number): void {
    this.checks.delete(entry.name);
    if (this.over) return;
    this.view.remove(entry, "not-found", readTime);
    this.tools.delivery.notify(this.followers);
  }

  /**
   * It is still there although the pass left it out. If it is as the list showed it, the filter must still match,
   * and the list lags; if it has changed since, and a pass that began after that leaves it out again, the filter does
   * not match any more. Without a filter there is only lag.
   */
  checkedThere(entry: CollectionEntry, seen: Observation): void {
    this.checks.delete(entry.name);
    if (this.over || entry.gone) return;
    const confirmed = entry.differsSince !== undefined && entry.differsSince < this.begun;
    this.view.observe(seen, undefined, this.tools.clock.now());
    if (entry.listedIn === this.pass) return;
    if (this.target.filter !== "" && confirmed) this.view.remove(entry, "filtered-out", seen.readTime);
    else if (entry.listed && !sameOperation(entry.listed, seen)) entry.differsSince ??= seen.sentAt;
    this.tools.delivery.notify(this.followers);
  }

  /** Nothing was learnt; the next pass asks again. */
  checkFailed(entry: CollectionEntry): void {
    this.checks.delete(entry.name);
  }

  private check(entry: CollectionEntry): void {
    if (this.checks.has(entry.name)) return;
    this.checks.add(entry.name);
    const { scope, authorization } = this.target;
    new EntryCheck(this, entry, { scope, authorization, tools: this.tools }).start();
  }

  private interval(): number {
    return this.youngest((age) => nextInterval(age, this.tools.random()));
  }

  private youngest(interval: (age: number) => number): number {
    const now = this.tools.clock.now();
    let age = Number.POSITIVE_INFINITY;
    for (const { view, firstRead, cancelled } of this.view.entries.values()) {
      const { latest } = view;
      if (!latest || latest.done) continue;
      age = Math.min(age, ageOf({ createTime: latest.facts.createTime, firstRead, cancelled }, now));
    }
    // When nothing runs there is only the new to be found.
    return age === Number.POSITIVE_INFINITY ? MAX_INTERVAL_MS : interval(age);
  }

  private beginAt(due: number): void {
    if (this.over || this.listing.begun || (this.listing.running && this.nextDue <= due)) return;
    this.nextDue = due;
    this.listing.start(due);
  }

  private forgetGone(): void {
    let position = Number.POSITIVE_INFINITY;
    for (const follower of this.followers) position = Math.min(position, follower.position);
    this.view.forgetGone(position);
  }

  private end(error: ConnectError): void {
    if (this.over) return;
    this.ended = error;
    this.finish();
    this.tools.delivery.notify(this.followers);
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.listing.stop();
    this.tools.over(this);
  }
}

/** A single read of an operation that a pass has left out. */
class EntryCheck implements Poll, Reader {
  due = 0;
  place = -1;
  queue: DueQueue<Poll> | undefined;
  readonly urgent = false;
  readonly retry = false;
  readonly requestId = "poll";
  readonly authorization: string | undefined;
  private readonly owner: CollectionPoll;
  private readonly entry: CollectionEntry;
  private readonly scope: ListTarget["scope"];
  private readonly tools: CollectionTools;
  private readTime = 0;

  constructor(
    owner: CollectionPoll,
    entry: CollectionEntry,
    options: Pick<ListTarget, "scope" | "authorization"> & { readonly tools: CollectionTools },
  ) {
    this.owner = owner;
    this.entry = entry;
    this.authorization = options.authorization;
    this.scope = options.scope;
    this.tools = options.tools;
  }

  get deadline(): number {
    return this.tools.clock.monotonic() + READ_TIMEOUT_MS;
  }

  start(): void {
    this.scope.schedule(this, this.tools.clock.monotonic());
  }

  send(ticket: ReadTicket): boolean {
    const { name } = this.entry;
    this.readTime = this.tools.steady.now();
    // Nobody watches any more.
    if (this.owner.followers.size === 0) return false;
    const key = shareKey(this.owner.identity, name);
    const sent = this.tools.reads.poll({ key, name, scope: this.scope }, this, ticket);
    if (sent) return true;
    this.owner.checkFailed(this.entry);
    return false;
  }

  found(seen: Observation): void {
    this.owner.checkedThere(this.entry, seen);
  }

  failed(error: ConnectError): void {
    if (error.code === Code.NotFound) this.owner.checkedGone(this.entry, this.readTime);
    else this.owner.checkFailed(this.entry);
  }
}

function sameOperation(a: Observation, b: Observation): boolean {
  return Buffer.compare(a.operation.toBinary(), b.operation.toBinary()) === 0;
}

function tooLarge(): ConnectError {
  return gatewayError(
    "COLLECTION_TOO_LARGE",
    `more than ${MAX_COLLECTION_OPERATIONS} operations match; use a filter, or watch single operations`,
  );
}

function noRoom(): ConnectError {
  return gatewayError("TOO_MANY_OPERATIONS", "the gateway tracks as many operations as it can; try later", {
    retryDelayMs: 5_000,
  });
}
