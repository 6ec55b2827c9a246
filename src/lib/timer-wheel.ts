import type { Clock, Timer } from "./clock.ts";

/** A place in one of the wheel's rings. */
interface Link {
  next: Link | undefined;
  previous: Link | undefined;
}

/** Something that must have ended by a moment. All but {@link expire} belongs to the {@link TimerWheel}. */
export interface Expiring extends Link {
  /** When it is due, on {@link Clock.monotonic}. */
  due: number;
  /** Called once, at `due` or up to {@link TICK_MS} later, unless the wheel was told to forget it. Must not throw. */
  expire(now: number): void;
}

/**
 * Length of a tick in milliseconds, and so how late a deadline may be noticed. A timer of Node's own for each call
 * would cost more than its exactness is worth: nearly every call is answered long before its deadline.
 */
export const TICK_MS = 5;

/** Ticks in one turn of the wheel, a power of two. What is due later than a turn is looked at once in each turn. */
const SLOTS = 1024;

/**
 * The deadlines of many calls on one timer: a hashed timing wheel (Varghese and Lauck, 1987). Setting and forgetting
 * are a few assignments, and no timer runs while nothing is due.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #rings: readonly Link[] = Array.from({ length: SLOTS }, createRing);
  readonly #due = createRing();
  #size = 0;
  #tick = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many entries wait. */
  get size(): number {
    return this.#size;
  }

  /** All entries that wait now, in no order. */
  entries(): Expiring[] {
    const entries: Expiring[] = [];
    // Every link of a ring but the ring itself is an entry.
    for (const ring of this.#rings)
      for (let link = ring.next; link && link !== ring; link = link.next) entries.push(link as Expiring);
    return entries;
  }

  /** Makes `entry` due at `due`, wherever it stood before; `Infinity` forgets it. */
  set(entry: Expiring, due: number): void {
    if (entry.next) this.forget(entry);
    if (due === Number.POSITIVE_INFINITY) return;
    if (this.#size++ === 0) this.#start();
    entry.due = due;
    // What is overdue already belongs to the next tick.
    const tick = Math.max(Math.ceil(due / TICK_MS), this.#tick + 1);
    insert(entry, this.#rings[tick & (SLOTS - 1)] as Link);
  }

  /** Forgets `entry`; does nothing when it is not in the wheel. */
  forget(entry: Expiring): void {
    if (!entry.next) return;
    remove(entry);
    entry.next = undefined;
    entry.previous = undefined;
    this.#size--;
  }

  #start(): void {
    this.#tick = Math.floor(this.#clock.monotonic() / TICK_MS);
    this.#timer ??= this.#clock.setTimer(TICK_MS, () => this.#turn());
  }

  #turn(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    const last = Math.floor(now / TICK_MS);
    // After a pause longer than a turn, one turn has looked at every ring.
    let tick = Math.max(this.#tick, last - SLOTS);
    // The new time first: an entry that is set anew while its ring is gone through must not land in a passed ring.
    this.#tick = last;
    while (tick++ < last) this.#expireRing(this.#rings[tick & (SLOTS - 1)] as Link, now);
    if (this.#size > 0) this.#timer ??= this.#clock.setTimer(TICK_MS, () => this.#turn());
  }

  /** What is due goes into a ring of its own first: expiring one entry may forget any other, or move it to any ring. */
  #expireRing(ring: Link, now: number): void {
    const due = this.#due;
    for (let link = ring.next as Link; link !== ring; ) {
      // Every link of a ring but the ring itself is an entry.
      const entry = link as Expiring;
      link = link.next as Link;
      if (entry.due > now) continue;
      remove(entry);
      insert(entry, due);
    }
    while (due.next !== due) {
      const entry = due.next as Expiring;
      this.forget(entry);
      entry.expire(now);
    }
  }
}

/** Puts a link that is in no ring behind the beginning of one. */
function insert(link: Link, ring: Link): void {
  link.next = ring.next;
  link.previous = ring;
  (ring.next as Link).previous = link;
  ring.next = link;
}

function remove(link: Link): void {
  (link.previous as Link).next = link.next;
  (link.next as Link).previous = link.previous;
}

function createRing(): Link {
  const ring: Link = { next: undefined, previous: undefined };
  ring.next = ring;
  ring.previous = ring;
  return ring;
}
