import type { Http2Stream } from "./stream.ts";

/** How many buckets a table begins with; a power of two. */
const BUCKETS = 16;

/** How many streams are remembered after their end: those that frames of the peer may still be under way for. */
const REMEMBERED = 128;

/** How a stream has ended: by END_STREAM from both sides, by the peer's RST_STREAM, or by the gateway's. */
export type Ending = "complete" | "reset by peer" | "reset here";

/**
 * The streams of a connection by id: those that are open, and how the last ones ended. A hash table of chains through
 * the streams themselves: a Map would throw its table away every few hundred calls, and V8 keeps what hung on it
 * (see lib/linked-list.ts).
 */
export class StreamTable {
  /** How many streams are open. */
  size = 0;
  #buckets: (Http2Stream | undefined)[] = new Array(BUCKETS).fill(undefined);
  readonly #ended: Record<Ending, Uint32Array | undefined> = {
    complete: undefined,
    "reset by peer": undefined,
    "reset here": undefined,
  };
  readonly #endedCount: Record<Ending, number> = { complete: 0, "reset by peer": 0, "reset here": 0 };

  get(id: number): Http2Stream | undefined {
    let stream = this.#buckets[(id >>> 1) & (this.#buckets.length - 1)];
    while (stream !== undefined && stream.id !== id) stream = stream.nextInBucket;
    return stream;
  }

  add(stream: Http2Stream): void {
    if (++this.size > this.#buckets.length) this.#grow();
    this.#link(stream);
  }

  /** Takes a stream out, and remembers how it ended. */
  remove(stream: Http2Stream, ending: Ending): void {
    const bucket = (stream.id >>> 1) & (this.#buckets.length - 1);
    let before: Http2Stream | undefined;
    let found = this.#buckets[bucket];
    while (found !== undefined && found !== stream) {
      before = found;
      found = found.nextInBucket;
    }
    if (found === undefined) return;
    if (before === undefined) this.#buckets[bucket] = stream.nextInBucket;
    else before.nextInBucket = stream.nextInBucket;
    stream.nextInBucket = undefined;
    this.size--;
    this.remember(stream.id, ending);
  }

  /** Remembers the end of a stream that never was in the table, a refused one. */
  remember(id: number, ending: Ending): void {
    let ring = this.#ended[ending];
    if (ring === undefined) {
      ring = new Uint32Array(REMEMBERED);
      this.#ended[ending] = ring;
    }
    ring[this.#endedCount[ending]++ % REMEMBERED] = id;
  }

  /** How a stream that is not open ended; `undefined` when that is forgotten, or it never was. */
  endingOf(id: number): Ending | undefined {
    if (this.#ended["reset here"]?.includes(id)) return "reset here";
    if (this.#ended["reset by peer"]?.includes(id)) return "reset by peer";
    return this.#ended.complete?.includes(id) ? "complete" : undefined;
  }

  /** All open streams, in no order. */
  open(): Http2Stream[] {
    const all: Http2Stream[] = [];
    for (const first of this.#buckets)
      for (let stream = first; stream !== undefined; stream = stream.nextInBucket) all.push(stream);
    return all;
  }

  #grow(): void {
    const all = this.open();
    this.#buckets = new Array(2 * this.#buckets.length).fill(undefined);
    for (const stream of all) this.#link(stream);
  }

  #link(stream: Http2Stream): void {
    const bucket = (stream.id >>> 1) & (this.#buckets.length - 1);
    stream.nextInBucket = this.#buckets[bucket];
    this.#buckets[bucket] = stream;
  }
}
