import type { Clock, Timer } from "../../lib/clock.ts";
import { type Due, DueQueue } from "./due-queue.ts";
import type { ReadBudget } from "./read-budget.ts";

/** A read that somebody has scheduled. */
export interface Poll extends Due {
  /** Somebody has heard nothing yet and waits for this read. */
  readonly urgent: boolean;
  /** Which queue it stands in; belongs to the {@link ReadScope}. */
  queue: DueQueue<Poll> | undefined;
  /** The read is due and the budget allows it. Returns false if it is not needed after all; nothing is spent then. */
  send(ticket: ReadTicket): boolean;
}

/** One read that the budget was charged for; handed back with {@link ReadScope.settled}. */
export interface ReadTicket {
  /** On the monotonic clock. */
  readonly sentAt: number;
  readonly poll: boolean;
  /** Sent before its turn, because a caller waits. */
  readonly forced: boolean;
}

/** How a read ended, as far as the budget is concerned. */
export interface ReadOutcome {
  /** It was refused because there were too many. */
  readonly limited: boolean;
  /** The upstream wants no reads for so many milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/** A call's read that waits for its turn. */
interface WaitingCall {
  readonly since: number;
  readonly send: (ticket: ReadTicket) => void;
}

/** Polls of one project and region under way at the same time, at most: an upstream that is slow gets no more. */
const MAX_POLLS_IN_FLIGHT = 64;

/**
 * Sends the reads of one project and region, within its budget: calls first, then polls by due time. Polls that
 * somebody has heard nothing of yet get every second turn, so that newcomers do not wait for a whole round, and a
 * stream of newcomers does not starve the rest.
 */
export class ReadScope {
  readonly budget: ReadBudget;
  readonly #clock: Clock;
  readonly #calls: WaitingCall[] = [];
  readonly #fresh = new DueQueue<Poll>();
  readonly #repeated = new DueQueue<Poll>();
  #polls = 0;
  #freshTurn = true;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #pumping = false;
  #lastUse = 0;

  constructor(clock: Clock, budget: ReadBudget) {
    this.#clock = clock;
    this.budget = budget;
  }

  /** Nothing is queued or under way, and nothing was for so long that what was learnt may be forgotten. */
  idleFor(ms: number): boolean {
    const busy = this.#calls.length + this.#fresh.size + this.#repeated.size + this.#polls > 0;
    const now = this.#clock.monotonic();
    return !busy && now - this.#lastUse >= ms && now >= this.budget.paused;
  }

  /** Makes a poll due at `due`, wherever it stood. */
  schedule(poll: Poll, due: number): void {
    const queue = poll.urgent ? this.#fresh : this.#repeated;
    if (poll.queue !== queue) this.unschedule(poll);
    poll.due = due;
    poll.queue = queue;
    queue.put(poll);
    this.#pump();
  }

  /** Forgets a poll that has not been sent. */
  unschedule(poll: Poll): void {
    poll.queue?.remove(poll);
    poll.queue = undefined;
  }

  /** Sends a caller's read, now or when its turn comes. Returns how to take it back while it waits. */
  call(send: (ticket: ReadTicket) => void): () => void {
    const now = this.#clock.monotonic();
    if (this.#calls.length === 0 && this.budget.callAt(now) <= now) {
      send(this.#charge(now, false));
      return () => {};
    }
    const waiting: WaitingCall = { since: now, send };
    this.#calls.push(waiting);
    this.#pump();
    return () => {
      const at = this.#calls.indexOf(waiting);
      if (at >= 0) this.#calls.splice(at, 1);
    };
  }

  /** A read has ended, in whatever way. */
  settled(ticket: ReadTicket, { limited, retryAfterMs }: ReadOutcome): void {
    const now = this.#clock.monotonic();
    if (ticket.poll) this.#polls--;
    if (limited) this.budget.refused(ticket.sentAt, now, retryAfterMs, ticket.forced);
    else this.budget.accepted(ticket.sentAt, now, retryAfterMs);
    this.#pump();
  }

  /** A call that is no read was refused because there were too many. */
  refusedElsewhere(retryAfterMs: number | undefined): void {
    this.budget.refusedElsewhere(this.#clock.monotonic(), retryAfterMs);
    this.#pump();
  }

  #charge(now: number, poll: boolean): ReadTicket {
    const forced = !poll && this.budget.callAt(now) > now;
    this.#lastUse = now;
    this.budget.sent(now);
    if (poll) this.#polls++;
    return { sentAt: now, poll, forced };
  }

  #pump(): void {
    // What is sent may settle at once and come back here.
    if (this.#pumping) return;
    this.#pumping = true;
    const now = this.#clock.monotonic();
    this.#sendCalls(now);
    this.#sendPolls(now);
    this.#pumping = false;
    this.#setTimer(this.#nextMoment(now));
  }

  #sendCalls(now: number): void {
    for (let call = this.#calls[0]; call; call = this.#calls[0]) {
      const outOfPatience = now - call.since >= this.budget.patience(now);
      if (!outOfPatience && this.budget.callAt(now) > now) return;
      this.#calls.shift();
      call.send(this.#charge(now, false));
    }
  }

  #sendPolls(now: number): void {
    while (this.#calls.length === 0 && this.#polls < MAX_POLLS_IN_FLIGHT) {
      const poll = this.#next(now);
      if (!poll || this.budget.pollAt(now) > now) return;
      this.unschedule(poll);
      const ticket = { sentAt: now, poll: true, forced: false };
      this.#polls++;
      if (poll.send(ticket)) {
        this.#lastUse = now;
        this.budget.sent(now);
      } else this.#polls--;
    }
  }

  #next(now: number): Poll | undefined {
    const fresh = this.#fresh.first;
    const repeated = this.#repeated.first;
    const freshDue = fresh !== undefined && fresh.due <= now;
    const repeatedDue = repeated !== undefined && repeated.due <= now;
    if (freshDue && repeatedDue) this.#freshTurn = !this.#freshTurn;
    return freshDue && (this.#freshTurn || !repeatedDue) ? fresh : repeatedDue ? repeated : undefined;
  }

  #nextMoment(now: number): number {
    const call = this.#calls[0];
    const callAt = call
      ? Math.min(this.budget.callAt(now), call.since + this.budget.patience(now))
      : Number.POSITIVE_INFINITY;
    const due = Math.min(
      this.#fresh.first?.due ?? Number.POSITIVE_INFINITY,
      this.#repeated.first?.due ?? Number.POSITIVE_INFINITY,
    );
    const pollAt =
      call || this.#polls >= MAX_POLLS_IN_FLIGHT || due === Number.POSITIVE_INFINITY
        ? Number.POSITIVE_INFINITY
        : Math.max(due, this.budget.pollAt(now));
    return Math.min(callAt, pollAt);
  }

  #setTimer(at: number): void {
    // A timer that is early only looks again; one that is late would be late.
    if (this.#timer && this.#timerAt <= at && at !== Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimer(at - this.#clock.monotonic(), () => {
      this.#timer = undefined;
      this.#pump();
    });
  }
}

/** Scopes that are kept at most before those that are idle are forgotten: names come from callers. */
const MAX_SCOPES = 1_000;

/** What an idle scope has learnt is kept so long. */
const KEEP_IDLE_MS = 600_000;

/** The scope of each project and region, made when first needed. */
export class ReadScopes {
  readonly #scopes = new Map<string, ReadScope>();
  readonly #create: () => ReadScope;
  #last: { readonly beginning: string; readonly scope: ReadScope } | undefined;

  constructor(create: () => ReadScope) {
    this.#create = create;
  }

  /** The scope of a resource: `projects/P/locations/L/…`; what has no such name shares one. */
  of(name: string): ReadScope {
    const last = this.#last;
    // Most calls are about the same project and region as the one before.
    if (last !== undefined && name.startsWith(last.beginning)) return last.scope;
    const key = /^projects\/[^/]+(?:\/(?:locations|regions)\/[^/]+)?/.exec(name)?.[0] ?? "";
    const scope = this.#scopes.get(key) ?? this.#open(key);
    // What goes on behind a project alone may be a region, and then it is another scope.
    if (key.includes("/", "projects/".length)) this.#last = { beginning: `${key}/`, scope };
    return scope;
  }

  #open(key: string): ReadScope {
    if (this.#scopes.size >= MAX_SCOPES) this.#forgetIdle();
    const scope = this.#create();
    this.#scopes.set(key, scope);
    return scope;
  }

  #forgetIdle(): void {
    this.#last = undefined;
    for (const [key, scope] of this.#scopes) if (scope.idleFor(KEEP_IDLE_MS)) this.#scopes.delete(key);
    // Under a flood of made-up projects those that were never busy go first.
    if (this.#scopes.size < MAX_SCOPES) return;
    for (const [key, scope] of this.#scopes) if (scope.idleFor(0)) this.#scopes.delete(key);
  }
}
