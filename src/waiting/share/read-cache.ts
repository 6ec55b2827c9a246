import type { Observation } from "../facts/observation.ts";

/** Operations that are kept at most. */
const MAX_CACHED = 10_000;

/** Bytes that they may take together, estimated from their protobuf size. */
const MAX_CACHED_BYTES = 32 * 1024 * 1024;

/** What an entry takes beside its bytes: the decoded message, keys, map slots. */
const ENTRY_OVERHEAD_BYTES = 1_024;

/** The encoded bytes are there in up to three forms: message, protobuf, JSON. */
const FORMS = 3;

interface Entry {
  readonly seen: Observation;
  readonly expires: number;
  readonly bytes: number;
}

/**
 * Operations as last read, by share key. Those that are done do not change any more and cost no further read until
 * they expire: that they were deleted, or that a right was withdrawn, is noticed within that time. Others are kept
 * only for callers who have allowed staleness.
 */
export class ReadCache {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** The operation, if it is kept and has not expired. `now` is monotonic. */
  get(key: string, now: number): Observation | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.expires > now) return entry.seen;
    this.delete(key);
    return undefined;
  }

  /** Keeps an operation for `ttlMs`. The oldest make room for it. One that is done is not replaced by one that is not. */
  put(key: string, seen: Observation, now: number, ttlMs: number): void {
    if (!seen.done && this.get(key, now)?.done) return;
    this.delete(key);
    const bytes = seen.operation.toBinary().length * FORMS + key.length + ENTRY_OVERHEAD_BYTES;
    this.#entries.set(key, { seen, expires: now + ttlMs, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_CACHED && this.#bytes <= MAX_CACHED_BYTES) break;
      this.delete(oldest);
    }
  }

  /** Forgets an operation, because it was deleted. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
