/** Length of one bucket of a {@link RateMeter}. */
const BUCKET_MS = 250;

/** Buckets kept: the meter remembers two minutes, so that a quota by the minute shows. */
const BUCKETS = 480;

/** The longest span that a meter can be asked about. */
export const METER_MAX_MS = BUCKET_MS * BUCKETS;

/** Counts events over the last two minutes in constant memory. All moments are monotonic milliseconds. */
export class RateMeter {
  readonly #counts = new Float64Array(BUCKETS);
  #newest = 0;

  /** Counts an event that was at `at`; one that is too old is dropped. */
  add(at: number, now: number): void {
    this.#advance(now);
    const bucket = Math.floor(at / BUCKET_MS);
    if (bucket <= this.#newest - BUCKETS || bucket > this.#newest) return;
    const slot = bucket % BUCKETS;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
  }

  /** Events in the `spanMs` before `end`, exact to a bucket. */
  count(spanMs: number, end: number): number {
    this.#advance(end);
    const oldest = Math.max(Math.floor((end - spanMs) / BUCKET_MS), this.#newest - BUCKETS);
    let total = 0;
    for (let bucket = Math.floor(end / BUCKET_MS); bucket > oldest; bucket--)
      total += this.#counts[((bucket % BUCKETS) + BUCKETS) % BUCKETS] ?? 0;
    return total;
  }

  #advance(now: number): void {
    const bucket = Math.floor(now / BUCKET_MS);
    for (let next = Math.max(this.#newest + 1, bucket - BUCKETS + 1); next <= bucket; next++)
      this.#counts[next % BUCKETS] = 0;
    this.#newest = Math.max(this.#newest, bucket);
  }
}
