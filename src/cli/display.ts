import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Operation } from "../../gen/google/longrunning/operations_pb.ts";
import { type Progress, type State, StateSchema } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { codeName } from "../lib/code-names.ts";
import { printable } from "./table.ts";

/** What a watch knows of an operation at one moment. */
export interface Sight {
  readonly name: string;
  readonly state: State;
  readonly operation?: Operation | undefined;
  readonly progress?: Progress | undefined;
  readonly readTime?: Timestamp | undefined;
}

/** Where a watch shows what it sees. */
export interface Display {
  /** The state of an operation, the first or a new one. */
  show(sight: Sight): void;
  /** An operation is not watched any more, and why. */
  gone(name: string, why: string, readTime: Timestamp | undefined): void;
  /** Something about the watch itself, for people. One line, without its newline. */
  remark(text: string): void;
  /** Nothing more will come. */
  close(): void;
}

/** The name of a state: `RUNNING`. */
export function stateName(state: State): string {
  return StateSchema.values.find(({ number }) => number === state)?.name ?? `state ${state}`;
}

/** `120 of 500, 3 failed, 24 %, 12.5/s`; empty without counters. */
export function progressText(progress: Progress | undefined): string {
  if (!progress) return "";
  const { pending, success, failure, fraction, rate } = progress;
  const done = success + failure;
  const parts = [];
  if (done + pending > 0n) parts.push(`${done} of ${done + pending}`);
  if (failure > 0n) parts.push(`${failure} failed`);
  if (fraction !== undefined) parts.push(`${Math.floor(fraction * 100)} %`);
  if (rate !== undefined && fraction !== 1)
    parts.push(`${rate >= 10 ? Math.round(rate) : rate.toFixed(1)}/s`);
  return parts.join(", ");
}

/** One line about an operation: `2026-11-24T17:06:20Z  RUNNING  120 of 500, 24 %`, the name before the progress if asked for. */
export function sightLine({ name, state, operation, progress, readTime }: Sight, withName: boolean): string {
  const result = operation?.result;
  const error = result?.case === "error" ? `${codeName(result.value.code)}: ${result.value.message}` : "";
  const cells = [
    timeText(readTime),
    stateName(state).padEnd(10),
    withName ? name : "",
    progressText(progress),
    error,
  ];
  return printable(cells.filter((cell) => cell !== "").join("  ")).trimEnd();
}

/** The line of an operation that has left. */
export function goneLine(name: string, why: string, readTime: Timestamp | undefined): string {
  return printable([timeText(readTime), "GONE      ", name, why].filter((cell) => cell !== "").join("  "));
}

/** RFC 3339 to the second; empty without a time. */
function timeText(time: Timestamp | undefined): string {
  return time
    ? timestampDate(time)
        .toISOString()
        .replace(/\.\d+Z$/, "Z")
    : "";
}
