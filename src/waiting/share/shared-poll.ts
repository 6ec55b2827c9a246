import type { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import type { UpstreamAnswerInfo } from "../../upstream/operations-api.ts";
import type { Delivery, Follower } from "../deliver/delivery.ts";
import { type Observation, OperationView } from "../facts/observation.ts";
import { rateBetween } from "../facts/progress.ts";
import { type FailureMeaning, retryAfter } from "../facts/read-failure.ts";
import type { DueQueue } from "../schedule/due-queue.ts";
import type { Poll, ReadTicket } from "../schedule/read-scope.ts";
import { ageOf, backoff, longestInterval, MIN_INTERVAL_MS, nextInterval } from "../schedule/schedule.ts";
import type { UpstreamClock } from "../schedule/upstream-clock.ts";
import type { ListSweep } from "./list-sweep.ts";
import { READ_TIMEOUT_MS, type ReadCollapse, type Reader } from "./read-collapse.ts";
import type { ReadTarget } from "./read-target.ts";

/** What a shared poll works with. */
export interface PollTools {
  readonly clock: Clock;
  /** For what callers are told of times, see steady-clock.ts. */
  readonly steady: Clock;
  readonly upstreamClock: UpstreamClock;
  readonly random: () => number;
  readonly reads: ReadCollapse;
  readonly delivery: Delivery;
  readonly meaningOf: (error: ConnectError) => FailureMeaning;
  /** The poll is over: nobody follows, the operation is done, or a read ended it. */
  readonly over: (poll: SharedPoll) => void;
}

/**
 * Sharing: one operation that is polled once for all who follow it with the same right. It knows what was seen last,
 * when to look again, and whom to tell; who they are and what they do with it is delivery's business.
 */
export class SharedPoll implements Poll, Reader {
  readonly target: ReadTarget;
  readonly authorization: string | undefined;
  readonly requestId = "poll";
  readonly retry = false;
  readonly background = true;
  readonly followers = new Set<Follower>();
  readonly view = new OperationView();
  /** Why no read will ever succeed; the last thing that followers are told. */
  ended: ConnectError | undefined;
  /** The last failure since the last success, for those who run out of time. */
  lastFailure: ConnectError | undefined;
  due = 0;
  place = -1;
  queue: DueQueue<Poll> | undefined;
  urgent = true;
  /** The sweep of its collection, which reads it as long as it is `active`. */
  sweep: ListSweep | undefined;
  readonly #tools: PollTools;
  #leaveRead: (() => void) | undefined;
  #failures = 0;
  #firstRead: number | undefined;
  /** When a cancel last passed through the gateway, on the monotonic clock. */
  cancelled: number | undefined;
  #over = false;
  /** It is queued by itself although its collection is swept. */
  #direct = false;

  constructor(target: ReadTarget, authorization: string | undefined, tools: PollTools) {
    this.target = target;
    this.authorization = authorization;
    this.#tools = tools;
  }

  /** For its read: a poll is given up when it is slow. */
  get deadline(): number {
    return this.#tools.clock.monotonic() + READ_TIMEOUT_MS;
  }

  get latest(): Observation | undefined {
    return this.view.latest;
  }

  /** The interval at its present age, without jitter: how old the last read may be to be handed to a newcomer. */
  get presentInterval(): number {
    return longestInterval(this.#age);
  }

  /** When the next read is due, on the wall clock. */
  get nextReadTime(): number {
    const { steady } = this.#tools;
    const due = !this.queue && this.sweep?.active ? this.sweep.nextDue : this.due;
    return steady.now() + Math.max(due - steady.monotonic(), 0);
  }

  /** Goes on from what was read before somebody followed again. */
  resume(last: Observation): void {
    this.view.merge(last, () => undefined);
    this.#firstRead = last.sentAt;
    this.urgent = false;
    this.#schedule(last.sentAt);
  }

  /** Takes a follower in, and reads at once if what is known is too old for him. */
  follow(follower: Follower): void {
    this.followers.add(follower);
    if (this.#over || this.#isFresh(this.#tools.clock.monotonic())) return;
    this.#hurry();
  }

  /** Lets a follower go; with the last one the polling ends. */
  leave(follower: Follower): void {
    if (this.followers.delete(follower) && this.followers.size === 0) this.#finish();
  }

  /** A cancel has passed through: the end is near, so the operation counts as young. */
  becomeYoung(): void {
    this.cancelled = this.#tools.clock.monotonic();
    if (this.sweep?.active) this.sweep.memberIsYoung(this);
    else if (!this.#over && !this.#leaveRead) this.#schedule(this.latest?.sentAt ?? 0);
  }

  /** Reads this one by itself although its collection is swept. */
  readDirectly(): void {
    if (this.#over || this.#leaveRead || this.queue) return;
    this.#direct = true;
    this.#queueAt(this.#tools.clock.monotonic());
  }

  /** The sweep takes over, or hands back. */
  sweepChanged(): void {
    if (this.#over || this.#leaveRead) return;
    if (this.sweep?.active) this.target.scope.unschedule(this);
    else this.#schedule(this.latest?.sentAt ?? 0);
  }

  send(ticket: ReadTicket): boolean {
    // What is in flight already, for a caller, reports through `observe` as well.
    this.#direct = false;
    this.#leaveRead = () => {};
    const leave = this.#tools.reads.poll(this.target, this, ticket);
    if (leave && this.#leaveRead !== undefined) this.#leaveRead = leave;
    return leave !== undefined;
  }

  found(_seen: Observation, _answer: UpstreamAnswerInfo | undefined): void {
    // All reads of this operation arrive through `observe`, this one too.
  }

  failed(_error: ConnectError, _answer: UpstreamAnswerInfo | undefined): void {
    // As above, through `observeFailure`.
  }

  /** A read of this operation has found something: its own, a caller's, or a list's (`listed`). */
  observe(seen: Observation, listed = false): void {
    if (this.#over) return;
    if (!listed) this.#leaveRead = undefined;
    this.#failures = 0;
    this.lastFailure = undefined;
    this.#firstRead ??= this.#tools.clock.monotonic();
    const news = this.view.merge(seen, (earlier, later) =>
      rateBetween(
        { at: earlier.sentAt, counters: earlier.facts.counters },
        { at: later.sentAt, counters: later.facts.counters },
      ),
    );
    const awaited = this.urgent;
    this.urgent = false;
    if (this.latest?.done) {
      if (!listed) this.sweep?.finishedByRead(this.target.name, seen.sentAt);
      this.#finish();
    } else if (!this.#leaveRead) this.#schedule(seen.sentAt);
    // The message tells when the next read is due, so it is made after that is known.
    if (news || awaited) this.#tools.delivery.notify(this.followers);
  }

  /** A read of this operation has failed: its own, or a caller's. */
  observeFailure(error: ConnectError): void {
    if (this.#over) return;
    const own = this.#leaveRead !== undefined;
    this.#leaveRead = undefined;
    const meaning = this.#tools.meaningOf(error);
    if (meaning === "ends") {
      this.ended = error;
      this.#finish();
      this.#tools.delivery.notify(this.followers);
      return;
    }
    this.lastFailure = error;
    if (!own) return;
    const now = this.#tools.clock.monotonic();
    // A refused read is due as soon as any: its scope waits out the pause, which may be none.
    if (meaning === "limited") this.#queueAt(now + MIN_INTERVAL_MS);
    else {
      this.#failures++;
      this.#queueAt(now + Math.max(backoff(this.#failures, this.#tools.random()), retryAfter(error) ?? 0));
    }
  }

  /** A caller's read was given up with its caller: a poll that had relied on it instead of reading is due at once. */
  observeAbandoned(): void {
    if (this.#over || this.#leaveRead === undefined) return;
    this.#leaveRead = undefined;
    this.#queueAt(this.#tools.clock.monotonic());
  }

  /** Whether the last read is one that a newcomer may be given. */
  #isFresh(now: number): boolean {
    return this.latest !== undefined && now - this.latest.sentAt <= this.presentInterval;
  }

  get #age(): number {
    const { cancelled, latest } = this;
    const firstRead = this.#firstRead;
    const tools = this.#tools;
    const now = { upstream: tools.upstreamClock.now(), monotonic: tools.clock.monotonic() };
    return ageOf({ createTime: latest?.facts.createTime, firstRead, cancelled }, now);
  }

  #hurry(): void {
    this.urgent = true;
    if (this.#leaveRead) return;
    if (this.sweep?.active) this.sweep.hurry();
    else this.#queueAt(this.#tools.clock.monotonic());
  }

  #schedule(lastRead: number): void {
    if (this.sweep?.active) {
      if (!this.#direct) this.target.scope.unschedule(this);
      return;
    }
    const due = lastRead + nextInterval(this.#age, this.#tools.random());
    this.#queueAt(Math.max(due, this.#tools.clock.monotonic()));
  }

  #queueAt(due: number): void {
    this.due = due;
    this.target.scope.schedule(this, due);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.target.scope.unschedule(this);
    this.#leaveRead?.();
    this.#leaveRead = undefined;
    this.#tools.over(this);
  }

  /** The interval that a sweep has to keep for this member. */
  get interval(): number {
    return nextInterval(this.#age, this.#tools.random());
  }
}
