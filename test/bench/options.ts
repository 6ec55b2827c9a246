import { parseArgs } from "node:util";

/** What is measured, in this order: see docs/performance.md. */
export const PARTS = [
  "cost",
  "h2load",
  "path",
  "latency",
  "connections",
  "handshakes",
  "streams",
  "start",
  "workers",
  "soak",
] as const;

/** How the bench is run. */
export interface Options {
  /** Measured rounds of each server in each cell. */
  readonly rounds: number;
  /** Milliseconds of a round. */
  readonly roundMs: number;
  /** Calls before the first round: compiled code and grown pools are what is measured. */
  readonly warmUpCalls: number;
  /** Which {@link PARTS} to measure. */
  readonly parts: RegExp;
  /** Cells whose cost is measured. */
  readonly only: RegExp;
  /** Servers to measure. */
  readonly rivals: RegExp;
  /** Where the results go as JSON. */
  readonly json: string;
  readonly quick: boolean;
  /** Minutes of a steady load over which the cost is watched; 0 leaves that out. */
  readonly soakMinutes: number;
  /** Another checkout, built like this one, whose gateway is measured too: what a change is worth. */
  readonly before: string | undefined;
}

/** Reads the command line; throws an Error that says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      part: { type: "string", default: "" },
      only: { type: "string", default: "" },
      rivals: { type: "string", default: "" },
      "soak-minutes": { type: "string", default: "0" },
      before: { type: "string" },
      rounds: { type: "string" },
      json: { type: "string", default: ".cache/bench/result.json" },
    },
  });
  const { quick } = values;
  return {
    rounds: Number(values.rounds ?? (quick ? 9 : 31)),
    // Short, so that the servers of a round meet the same moods of the machine.
    roundMs: 400,
    warmUpCalls: quick ? 20_000 : 40_000,
    parts: new RegExp(values.part, "i"),
    only: new RegExp(values.only, "i"),
    rivals: new RegExp(values.rivals || "^", "i"),
    json: values.json,
    quick,
    soakMinutes: Number(values["soak-minutes"]),
    before: values.before,
  };
}
