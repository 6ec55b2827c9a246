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
    const cost = new Map(measured.map(({ rival, cpuMicros }) => [rival, median(cpuMicros)]));
    const reference = cost.get(own) ?? Number.NaN;
    return [cell, ...others.map((rival) => ratio(cost.get(rival), reference))];
  });
  return table(["CPU per request ÷ ours", ...others], rows);
}

function ratio(cost: number | undefined, reference: number): string {
  return cost === undefined || Number.isNaN(reference) ? "–" : (cost / reference).toFixed(2);
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
