import { cpus } from "node:os";
import type { Measured } from "./measure.ts";

/** The cells that were measured, by name. */
export type Results = Readonly<Record<string, readonly Measured[]>>;

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** CPU per request as a ratio to the gateway's: a Markdown table with a row for each cell, a column for each server. */
export function ratioTable(results: Results): string {
  const rivals = [...new Set(Object.values(results).flatMap((cell) => cell.map(({ rival }) => rival)))];
  const own = "lro-gateway";
  const others = rivals.filter((rival) => rival !== own);
  const rows = Object.entries(results).map(([cell, measured]) => {
    const cost = new Map(measured.map(({ rival, cpuMicros }) => [rival, cpuMicros]));
    return [cell, ...others.map((rival) => ratio(cost.get(rival), cost.get(own)))];
  });
  return table(["CPU per request ÷ ours", ...others], rows);
}

/** The median of the ratios of each round, since the machine is not equally fast in all rounds. */
function ratio(cost: readonly number[] | undefined, own: readonly number[] | undefined): string {
  if (cost === undefined || own === undefined) return "–";
  return median(cost.map((micros, round) => micros / (own[round] ?? Number.NaN))).toFixed(2);
}

/** When and where. */
export function circumstances(now: Date): string {
  const model = cpus()[0]?.model ?? "unknown processor";
  return `${now.toISOString().slice(0, 10)}, ${cpus().length} × ${model}, Node ${process.versions.node}`;
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i ? "---:" : "---"))), ...rows.map(line)].join("\n");
}
