/** Labels of a series, complete. */
export type Labels = Readonly<Record<string, string>>;

/**
 * Upper bounds in seconds, as the OpenTelemetry conventions have them for calls and requests
 * (https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/).
 */
export const CALL_BOUNDS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];

/**
 * Upper bounds in seconds for what lasts as long as its caller wants: up to `waiting.max_wait`, an hour by default, with
 * the age of streams, half an hour, in between.
 */
export const LONG_CALL_BOUNDS: readonly number[] = [1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/** One series of a {@link Histogram}; keep it, so that an observation looks nothing up. */
export class Series {
  readonly labels: Labels;
  /** Not cumulative; the last one is above all bounds. */
  readonly buckets: Float64Array;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.buckets = new Float64Array(bounds.length + 1);
  }

  /** Counts a duration in seconds. */
  observe(seconds: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && seconds > (bounds[at] ?? 0)) at++;
    // The loop ends within the array.
    this.buckets[at] = (this.buckets[at] ?? 0) + 1;
    this.sum += seconds;
  }
}

/**
 * A histogram of durations that prom-client can register: its own one joins all labels into a key at every observation,
 * which costs more than the rest of what is measured here.
 */
export class Histogram {
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #series: Series[] = [];

  /** `bounds`: upper bounds in seconds, ascending; what is above them all has a bucket of its own. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
  }

  /** A further series. The caller makes each once. */
  series(labels: Labels): Series {
    const series = new Series(labels, this.#bounds);
    this.#series.push(series);
    return series;
  }

  /** What prom-client asks its metrics for. */
  async get() {
    const values = this.#series.flatMap(({ labels, buckets, sum }) => {
      let count = 0;
      const counts = [...this.#bounds, "+Inf"].map((le, i) => {
        count += buckets[i] ?? 0;
        return { labels: { le, ...labels }, value: count, metricName: `${this.name}_bucket` };
      });
      return [
        ...counts,
        { labels, value: sum, metricName: `${this.name}_sum` },
        { labels, value: count, metricName: `${this.name}_count` },
      ];
    });
    return { name: this.name, help: this.help, type: "histogram", values, aggregator: "sum" };
  }

  /** As prom-client's own metrics have it. */
  reset(): void {
    for (const series of this.#series) {
      series.buckets.fill(0);
      series.sum = 0;
    }
  }
}
