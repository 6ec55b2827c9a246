import { MAX_INTERVAL_MS } from "./schedule.ts";

/**
 * For how long a cancel shortens the interval of its operation: a third of this age is the longest interval already,
 * so an older cancel changes nothing.
 */
const REMEMBERED_MS = 3 * MAX_INTERVAL_MS;

/** Cancels remembered at most, a power of two: 192 KiB, made once. */
const PLACES = 16_384;

/** Places side by side in which a cancel may stand; the oldest of them makes room. */
const WAYS = 4;

/**
 * When cancels passed through the gateway, by share key, for whoever begins to wait only afterwards: the usual client
 * cancels first, and then asks for the end.
 *
 * Numbers in a table, by the hash of the key, and no Map: what a map remembers outlives its call, so its key was copied
 * into the old generation with each cancel and collected there, an eighth of what a cancel cost with a thousand in
 * flight. A cancel that is forgotten early, or taken for another one of the same hash, makes somebody's polls a little
 * slower or quicker, and no more.
 */
export class RecentCancels {
  readonly #hashes = new Uint32Array(PLACES);
  readonly #times = new Float64Array(PLACES).fill(Number.NEGATIVE_INFINITY);

  /** A cancel of this operation passed through at `now`, milliseconds on the monotonic clock. */
  add(key: string, now: number): void {
    const hash = hashOf(key);
    const place = this.#find(hash) ?? this.#oldest(hash);
    this.#hashes[place] = hash;
    this.#times[place] = now;
  }

  /** When the last cancel of this operation passed through, if that still matters at `now`. */
  at(key: string, now: number): number | undefined {
    const place = this.#find(hashOf(key));
    const time = place === undefined ? undefined : this.#times[place];
    return time !== undefined && now - time <= REMEMBERED_MS ? time : undefined;
  }

  #find(hash: number): number | undefined {
    const first = firstPlace(hash);
    for (let place = first; place < first + WAYS; place++) if (this.#hashes[place] === hash) return place;
    return undefined;
  }

  #oldest(hash: number): number {
    const first = firstPlace(hash);
    let oldest = first;
    for (let place = first + 1; place < first + WAYS; place++)
      if ((this.#times[place] ?? 0) < (this.#times[oldest] ?? 0)) oldest = place;
    return oldest;
  }
}

function firstPlace(hash: number): number {
  return hash & (PLACES - 1) & ~(WAYS - 1);
}

/** FNV-1a of 32 bits, over UTF-16 code units. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
