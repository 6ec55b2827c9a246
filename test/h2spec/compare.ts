import type { Report, Verdict } from "./report.ts";

/** A case that did not end alike. */
export interface Difference {
  readonly name: string;
  readonly bare: Verdict | "missing";
  readonly gateway: Verdict | "missing";
  /** Whether the gateway did worse than the bare server. */
  readonly worse: boolean;
}

/** A skipped case has shown nothing: that is less than to pass and more than to fail. */
const RANK: Readonly<Record<Difference["bare"], number>> = { missing: 0, failed: 1, skipped: 2, passed: 3 };

/** Compares two runs case by case. */
export function compare(bare: Report, gateway: Report): Difference[] {
  const differences: Difference[] = [];
  for (const name of new Set([...bare.keys(), ...gateway.keys()])) {
    const theirs = bare.get(name) ?? "missing";
    const ours = gateway.get(name) ?? "missing";
    if (theirs !== ours)
      differences.push({ name, bare: theirs, gateway: ours, worse: RANK[ours] < RANK[theirs] });
  }
  return differences;
}

/** The better of two runs of the same server, case by case: a busy machine makes cases fail, and none pass. */
export function better(first: Report, second: Report): Report {
  const best = new Map(first);
  for (const [name, verdict] of second)
    if (RANK[verdict] > RANK[best.get(name) ?? "missing"]) best.set(name, verdict);
  return best;
}
