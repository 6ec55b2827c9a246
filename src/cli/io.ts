import type { WriteStream } from "node:tty";
import type { Clock } from "../lib/clock.ts";

/** What a command reads and writes, so that tests can run one without a process. */
export interface CommandIo {
  /** How the user has called this program, for lines to paste. */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to stdout: results. */
  out(text: string): void;
  /** Writes to stderr: complaints and remarks. */
  err(text: string): void;
  /** Columns of the terminal that stdout is, or `undefined` when it is a file or a pipe. */
  readonly columns: number | undefined;
  /** The terminal that stdout is, for what is drawn in place; absent when it is a file or a pipe. */
  readonly terminal?: WriteStream | undefined;
  /** Aborted when stdout takes no more: its reader has gone (`| head -1`), or the disk is full. Absent: it never is. */
  readonly outputGone?: AbortSignal;
  /** Measures `--timeout`. */
  readonly clock: Pick<Clock, "setTimer">;
}
