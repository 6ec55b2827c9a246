import type { Cell } from "../cells.ts";

/** What a generator sends, to whom and how much at a time. */
export interface Load {
  readonly cell: Cell;
  readonly port: number;
  readonly connections: number;
  /** Calls in flight on each connection; 1 on HTTP/1.1. */
  readonly streams: number;
  readonly ms: number;
  /** Calls per second over all connections; absent: as many as the server takes. */
  readonly rate?: number;
  /** Whether a paced generator looks at the clock all the time, instead of once in a millisecond: it needs its core. */
  readonly spin?: boolean;
  /** The body that every answer must have, byte by byte. */
  readonly expected: Buffer;
}

/** What came of it. */
export interface LoadResult {
  readonly calls: number;
  /** Answers that were not what they had to be. */
  readonly wrong: number;
  readonly seconds: number;
  /** Milliseconds of each call; only where they were asked for by `rate`, or with one call in flight. */
  readonly latencies: readonly number[];
}
