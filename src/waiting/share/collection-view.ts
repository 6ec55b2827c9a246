import { type Observation, OperationView } from "../facts/observation.ts";
import { rateBetween } from "../facts/progress.ts";

/** Why an operation left a collection. */
export type GoneReason = "not-found" | "filtered-out";

/** One operation of a watched collection. */
export interface CollectionEntry {
  readonly name: string;
  readonly view: OperationView;
  /** Small number of its own, for {@link SlotSet}; free again when everybody knows that it is gone. */
  readonly slot: number;
  /** When it was first read and when a cancel for it passed, on the monotonic clock; for its age. */
  readonly firstRead: number;
  cancelled: number | undefined;
  /** The pass in which a list last held it. */
  listedIn: number;
  /** What the list showed then; what a read must differ from before the filter is believed to leave it out. */
  listed: Observation | undefined;
  /** A read has shown, at this moment, why the filter may leave it out (filter-fields.ts). */
  differsSince: number | undefined;
  /** From this pass on it is read again if a list leaves it out. */
  nextCheck: number;
  gone: GoneReason | undefined;
  /** When the read was sent that found it gone, on the wall clock. */
  goneTime: number;
}

/** An operation that has left, remembered since lists lag: one that is asked later may still, or again, hold it. */
interface Departed {
  readonly reason: GoneReason;
  readonly done: boolean;
  /** On the monotonic clock. */
  readonly at: number;
}

/** What a list may be telling of an operation that it holds. */
export type Standing =
  /** As it is. */
  | "there"
  /** What was so before the operation left; to be ignored. */
  | "stale"
  /** That an operation is there which a read did not find: another read decides. */
  | "doubtful";

/** A list is not believed to lag for longer than this. */
const KEEP_DEPARTED_MS = 600_000;

/** A place in the log: an entry as of its latest change. Replaced ones are holes. */
interface Change {
  readonly seq: number;
  entry: CollectionEntry | undefined;
}

/**
 * What is known of a collection, with its changes as a log that keeps only the latest one of each operation. A
 * watcher is a position in it: however far he lies behind, he gets each operation once, as it is now.
 */
export class CollectionView {
  readonly entries = new Map<string, CollectionEntry>();
  readonly #departed = new Map<string, Departed>();
  #log: Change[] = [];
  readonly #places = new Map<CollectionEntry, Change>();
  #seq = 0;
  #holes = 0;
  readonly #freeSlots: number[] = [];
  #slots = 0;

  /** The number of the last change. */
  get last(): number {
    return this.#seq;
  }

  /**
   * How far a list is believed that holds this: done wins for ever, also over a list that shows an operation running
   * after it was GONE as done.
   */
  standing(seen: Observation): Standing {
    if (this.#departed.size === 0) return "there";
    const departed = this.#departed.get(seen.operation.toMessage().name);
    if (!departed) return "there";
    if (seen.sentAt <= departed.at || (departed.done && !seen.done)) return "stale";
    return departed.reason === "not-found" ? "doubtful" : "there";
  }

  /** Takes an observation in, `now` on the monotonic clock. Returns whether it is news. */
  observe(seen: Observation, pass: number | undefined, now: number): boolean {
    const { name } = seen.operation.toMessage();
    let entry = this.entries.get(name);
    const known = entry !== undefined;
    if (!entry) {
      entry = this.#create(name, now);
      this.entries.set(name, entry);
      this.#departed.delete(name);
    }
    const news = entry.view.merge(seen, (earlier, later) =>
      rateBetween(
        { at: earlier.sentAt, counters: earlier.facts.counters },
        { at: later.sentAt, counters: later.facts.counters },
      ),
    );
    if (pass !== undefined) {
      entry.listedIn = pass;
      entry.listed = seen;
      entry.differsSince = undefined;
    }
    if (news || !known) this.#changed(entry);
    return news || !known;
  }

  /** An operation has left the collection, as a read sent at `goneTime` (wall clock) shows; `at` on the monotonic clock. */
  remove(
    entry: CollectionEntry,
    reason: GoneReason,
    { goneTime, at }: { goneTime: number; at: number },
  ): void {
    if (entry.gone) return;
    this.#departed.set(entry.name, { reason, done: entry.view.latest?.done ?? false, at });
    entry.gone = reason;
    entry.goneTime = goneTime;
    this.entries.delete(entry.name);
    this.#changed(entry);
  }

  /** The first change after a position, with its own number; `undefined` when there is none. */
  after(position: number): { readonly seq: number; readonly entry: CollectionEntry } | undefined {
    for (let at = this.#firstAfter(position); at < this.#log.length; at++) {
      const change = this.#log[at];
      if (change?.entry) return { seq: change.seq, entry: change.entry };
    }
    return undefined;
  }

  /** Everybody has read up to here: what is gone need not be remembered any longer. */
  forgetGone(upTo: number): void {
    for (const change of this.#log) {
      if (change.seq > upTo) break;
      if (!change.entry?.gone) continue;
      this.#freeSlots.push(change.entry.slot);
      this.#hole(change);
    }
    this.#compact();
  }

  /** Forgets those who left so long ago that no list can still hold them, and the oldest beyond `most`. */
  forgetDeparted(now: number, most: number): void {
    for (const [name, { at }] of this.#departed) {
      if (now - at < KEEP_DEPARTED_MS && this.#departed.size <= most) return;
      this.#departed.delete(name);
    }
  }

  #create(name: string, firstRead: number): CollectionEntry {
    return {
      name,
      view: new OperationView(),
      slot: this.#freeSlots.pop() ?? this.#slots++,
      firstRead,
      cancelled: undefined,
      listedIn: -1,
      listed: undefined,
      differsSince: undefined,
      nextCheck: 0,
      gone: undefined,
      goneTime: 0,
    };
  }

  #changed(entry: CollectionEntry): void {
    const old = this.#places.get(entry);
    if (old) this.#hole(old);
    const change: Change = { seq: ++this.#seq, entry };
    this.#places.set(entry, change);
    this.#log.push(change);
    this.#compact();
  }

  #hole(change: Change): void {
    if (!change.entry) return;
    this.#places.delete(change.entry);
    change.entry = undefined;
    this.#holes++;
  }

  #compact(): void {
    if (this.#holes < 64 || this.#holes < this.#log.length / 2) return;
    this.#log = this.#log.filter((change) => change.entry !== undefined);
    this.#holes = 0;
  }

  #firstAfter(position: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#log[middle]?.seq ?? 0) > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A set of slots: one bit for each, since every watcher of a large collection keeps one. */
export class SlotSet {
  #bits = new Uint8Array(0);

  has(slot: number): boolean {
    return ((this.#bits[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0;
  }

  add(slot: number): void {
    if (slot >> 3 >= this.#bits.length) {
      const larger = new Uint8Array((slot >> 3) * 2 + 8);
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[slot >> 3] = (this.#bits[slot >> 3] ?? 0) | (1 << (slot & 7));
  }

  delete(slot: number): void {
    if (slot >> 3 < this.#bits.length)
      this.#bits[slot >> 3] = (this.#bits[slot >> 3] ?? 0) & ~(1 << (slot & 7));
  }
}
