import { cpus } from "node:os";
import type { CostOverConnections } from "./connections.ts";
import type { Latency } from "./latency.ts";
import type { Measured } from "./measure.ts";
import type { PathCost } from "./path.ts";
import type { SoakSlice } from "./soak.ts";
import type { Start } from "./start.ts";
import type { IdleStreams } from "./streams.ts";
import type { WorkersGain } from "./workers.ts";

/** The gateway's name among the servers. */
const OWN = "lro-gateway";

/** The cells that were measured, by name. */
export type Results = Readonly<Record<string, readonly Measured[]>>;

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** The value below which that share of all lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}

/** CPU per request as a ratio to the gateway's: a Markdown table with a row for each cell, a column for each server. */
export function ratioTable(results: Results): string {
  const rivals = [...new Set(Object.values(results).flatMap((cell) => cell.map(({ rival }) => rival)))];
  const others = rivals.filter((rival) => rival !== OWN);
  const rows = Object.entries(results).map(([cell, measured]) => {
    const cost = new Map(measured.map(({ rival, cpuMicros }) => [rival, cpuMicros]));
    return [cell, ...others.map((rival) => ratio(cost.get(rival), cost.get(OWN)))];
  });
  return table(["CPU per request ÷ ours", ...others], rows);
}

/** The median of the ratios of each round, since the machine is not equally fast in all rounds. */
function ratio(cost: readonly number[] | undefined, own: readonly number[] | undefined): string {
  if (cost === undefined || own === undefined) return "–";
  return median(cost.map((micros, round) => micros / (own[round] ?? Number.NaN))).toFixed(2);
}

/** What the RPC path costs without sockets. */
export function pathTable(all: readonly PathCost[]): string {
  return table(
    ["The RPC path alone", "µs of CPU per call"],
    all.map(({ cell, cpuMicros }) => [cell, median(cpuMicros).toFixed(2)]),
  );
}

/** Latencies as ratios to the gateway's, which has its own in milliseconds. */
export function latencyTable(all: readonly Latency[]): string {
  const own = all.find(({ rival }) => rival === OWN);
  const cell = (value: number, ours: number | undefined, isOurs: boolean) =>
    isOurs || ours === undefined ? `${value.toFixed(2)} ms` : (value / ours).toFixed(2);
  return table(
    [
      "Latency of Cancel ÷ ours",
      "alone, p50",
      "alone, p99",
      "at 70 % of its load, p50",
      "p99",
      "all at 70 % of the slowest, p50",
      "p99",
      "calls/s at most",
    ],
    all.map(({ rival, alone, loaded, equal, most }) => [
      rival,
      cell(alone.p50, own?.alone.p50, rival === OWN),
      cell(alone.p99, own?.alone.p99, rival === OWN),
      cell(loaded.p50, own?.loaded.p50, rival === OWN),
      cell(loaded.p99, own?.loaded.p99, rival === OWN),
      cell(equal.p50, own?.equal.p50, rival === OWN),
      cell(equal.p99, own?.equal.p99, rival === OWN),
      most.toFixed(0),
    ]),
  );
}

/**
 * What a call costs over many connections: with as many calls on each, which share their system calls, and with as many
 * in all, which share the fewer the more connections there are.
 */
export function connectionsTable(all: readonly CostOverConnections[]): string {
  const rivals = [...new Set(all.map(({ rival }) => rival))];
  const sizes = [...new Set(all.map(({ connections }) => connections))];
  const rows = (name: string, streamsOf: (connections: number) => number) =>
    rivals.map((rival) => {
      const costs = sizes.map((connections) =>
        all.find(
          (one) =>
            one.rival === rival && one.connections === connections && one.streams === streamsOf(connections),
        ),
      );
      const [one] = costs;
      return [name, rival, ...costs.map((cost) => (cost && one ? microsAndGrowth(cost, one) : "–"))];
    });
  return table(
    ["Calls in flight", "CPU per call, µs (÷ that over one)", ...sizes.map((size) => `over ${size}`)],
    [1, 10, 100]
      .flatMap((streams) => rows(`${streams} on each connection`, () => streams))
      .concat(rows("100 in all", (connections) => 100 / connections)),
  );
}

/** Its own cost, and the median of the ratios of the rounds. */
function microsAndGrowth(cost: CostOverConnections, one: CostOverConnections): string {
  return `${median(cost.cpuMicros).toFixed(1)} (${ratio(cost.cpuMicros, one.cpuMicros)})`;
}

/** What opening a connection costs, in clear text and over TLS. */
export function handshakesTable(results: Results): string {
  const carriers = Object.values(results);
  const rivals = carriers[0]?.map(({ rival }) => rival) ?? [];
  const rows = rivals.map((rival) => [
    rival,
    ...carriers.flatMap((measured) => {
      const cost = measured.find((one) => one.rival === rival)?.cpuMicros;
      const own = measured.find((one) => one.rival === OWN)?.cpuMicros;
      return [cost ? median(cost).toFixed(0) : "–", ratio(cost, own)];
    }),
  ]);
  return table(["CPU of a new connection and one call on it", "µs", "÷ ours", "TLS, µs", "÷ ours"], rows);
}

/** Memory of idle streams, and how soon a message is with all of them. */
export function streamsTable(all: readonly IdleStreams[]): string {
  return table(
    ["Idle server streams", "KiB each", "one message to all, ms"],
    all.map(({ streams, kibEach, toAllMs }) => [String(streams), kibEach.toFixed(1), toAllMs.toFixed(0)]),
  );
}

/** What a second worker adds. */
export function workersTable({ one, two, ratio }: WorkersGain): string {
  const row = (name: string, round: WorkersGain["one"], throughput: string) => [
    name,
    round.cpuMicros.toFixed(1),
    round.busiestMicros.toFixed(1),
    throughput,
    round.callsPerSecond.toFixed(0),
  ];
  return table(
    [
      "Workers",
      "CPU per call, µs",
      "of that the busiest process",
      "calls/s with a core for each ÷ one",
      "calls/s as measured, sharing two cores with generator and upstream",
    ],
    [row("1", one, "1.00"), row("2", two, ratio.toFixed(2))],
  );
}

/** Cost and memory over a long time. */
export function soakTable(slices: readonly SoakSlice[]): string {
  return table(
    ["From minute", "CPU per call ÷ raw", "resident, MiB"],
    slices.map(({ fromMinute, ratio, residentKiB }) => [
      String(fromMinute),
      ratio.toFixed(2),
      (residentKiB / 1024).toFixed(0),
    ]),
  );
}

/** How soon each server answers. */
export function startTable(starts: readonly Start[]): string {
  return table(
    ["Start", "to the first answered call, ms", "resident then, MiB"],
    starts.map(({ rival, firstAnswerMs, residentKiB }) => [
      rival,
      firstAnswerMs.toFixed(0),
      (residentKiB / 1024).toFixed(0),
    ]),
  );
}

/** Resident memory of each server after the load of a cell, MiB. */
export function memoryTable(results: Results): string {
  const rows = Object.entries(results).flatMap(([cell, measured]) =>
    measured.map(({ rival, residentKiB }) => [cell, rival, (residentKiB / 1024).toFixed(0)]),
  );
  return table(["Resident after the load", "", "MiB"], rows);
}

/** When and where. */
export function circumstances(now: Date): string {
  const model = cpus()[0]?.model ?? "unknown processor";
  return `${now.toISOString().slice(0, 10)}, ${cpus().length} × ${model}, Node ${process.versions.node}`;
}

/** A Markdown table. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i ? "---:" : "---"))), ...rows.map(line)].join("\n");
}
