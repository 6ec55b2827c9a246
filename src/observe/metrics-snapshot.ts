import type { Labels } from "./histogram.ts";

/** One metric of one process at one moment, as prom-client writes it in JSON. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  /** How values of several processes become one; prom-client's default is `sum`. */
  readonly aggregator?: string;
  readonly values: readonly Sample[];
}

/** A value with its labels; `metricName` is that of a histogram's sample, e.g. `…_bucket`. */
export interface Sample {
  readonly labels: Labels;
  /** `null` for NaN, once it has been through JSON. */
  readonly value: number | null;
  readonly metricName?: string;
}

/** The metrics of one process at one moment. */
export type MetricsSnapshot = readonly MetricSnapshot[];

/** The other processes that serve the same port. */
export interface MetricsPeers {
  /** Tells them what `read` gives whenever they gather. */
  share(read: () => Promise<MetricsSnapshot>): void;
  /** What all have, `own` among them. Bounded in time. */
  gather(own: MetricsSnapshot): Promise<readonly MetricsSnapshot[]>;
}

/** Leaves out samples that are no number: they would make a number of nothing when they are added up. */
export function withNumbersOnly(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.map((metric) => ({
    ...metric,
    values: metric.values.filter(({ value }) => value !== null && !Number.isNaN(value)),
  }));
}

/** What only ever grows in a snapshot: it still counts when its process has ended, or sums would fall. */
export function growingPart(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.filter(({ type, aggregator = "sum" }) => type !== "gauge" && aggregator === "sum");
}

/** Adds what only grows, sample by sample. */
export function addGrowing(a: MetricsSnapshot, b: MetricsSnapshot): MetricsSnapshot {
  const sums = new Map(a.map((metric) => [metric.name, metric]));
  for (const metric of b) {
    const other = sums.get(metric.name);
    sums.set(metric.name, other ? { ...metric, values: addSamples(other.values, metric.values) } : metric);
  }
  return [...sums.values()];
}

function addSamples(a: readonly Sample[], b: readonly Sample[]): Sample[] {
  const keyOf = ({ metricName = "", labels }: Sample): string =>
    JSON.stringify([metricName, ...Object.entries(labels).sort()]);
  const sums = new Map(a.map((sample) => [keyOf(sample), sample]));
  for (const sample of b) {
    const before = sums.get(keyOf(sample))?.value ?? 0;
    sums.set(keyOf(sample), { ...sample, value: before + (sample.value ?? 0) });
  }
  return [...sums.values()];
}
