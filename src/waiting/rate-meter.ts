/** Length of one bucket of a {@link RateMeter}. */
const BUCKET_MS = 250;

/** Buckets kept: the meter remembers two minutes, so that a quota by the minute shows. */
const BUCKETS = 480;

/** The longest span that a meter can be asked about. */
export const METER_MAX_MS = BUCKET_MS * BUCKETS;

/** Counts events over the last two minutes in constant memory. All moments are monotonic milliseconds. */
export class RateMeter {
  private readonly counts = new Float64Array(BUCKETS);
  private newest = 0;

  /** Counts `n` events at `at`; a negative `n` takes back what was counted there. Events that are too old are dropped. */
  add(at: number, n: number, now: number): void {
    this.advance(now);
    const bucket = Math.floor(at / BUCKET_MS);
    if (bucket <= this.newest - BUCKETS || bucket > this.newest) return;
    const slot = bucket % BUCKETS;
    this.counts[slot] = (this.counts[slot] ?? 0) + n;
  }

  /** Events in the last `spanMs`, exact to a bucket. */
  count(spanMs: number, now: number): number {
    this.advance(now);
    const oldest = Math.floor((now - spanMs) / BUCKET_MS);
    let total = 0;
    for (let bucket = this.newest; bucket > oldest && bucket > this.newest - BUCKETS; bucket--)
      total += this.counts[((bucket % BUCKETS) + BUCKETS) % BUCKETS] ?? 0;
    return total;
  }

  private advance(now: number): void {
    const bucket = Math.floor(now / BUCKET_MS);
    for (let next = Math.max(this.newest + 1, bucket - BUCKETS + 1); next <= bucket; next++)
      this.counts[next % BUCKETS] = 0;
    this.newest = Math.max(this.newest, bucket);
  }
}
