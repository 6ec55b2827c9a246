import { CELLS, type Cell, cellName } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { generate, SERVER_CORE, saturation } from "./measure.ts";
import type { Options } from "./options.ts";
import { median, percentile } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { type ServerProcess, startPinned } from "./server-process.ts";
import type { Upstream } from "./upstream-process.ts";

/** How long a server takes to answer. Milliseconds; medians over the rounds. */
export interface Latency {
  readonly rival: string;
  /** With one call in flight. */
  readonly alone: { readonly p50: number; readonly p99: number };
  /** At {@link SHARE} of the calls per second that it can take itself. */
  readonly loaded: { readonly p50: number; readonly p99: number; readonly callsPerSecond: number };
  /** At {@link SHARE} of the calls per second that the slowest of all servers can take. */
  readonly equal: { readonly p50: number; readonly p99: number; readonly callsPerSecond: number };
}

/** The load at which a server still has room. */
const SHARE = 0.7;

/** The call that is timed. */
export const LATENCY_CELL: Cell = CELLS.find((cell) => cellName(cell) === "Cancel grpc") as Cell;

/** Measures the latency of all servers, in turns. */
export async function measureLatency(
  rivals: readonly Rival[],
  upstream: Upstream,
  { rounds, roundMs, warmUpCalls }: Options,
): Promise<Latency[]> {
  const cell = LATENCY_CELL;
  const subjects: (Subject & { rival: Rival })[] = [];
  try {
    for (const rival of rivals.filter(({ serves }) => serves(cell))) {
      const server = await startPinned(SERVER_CORE, rival.command(upstream.port));
      const expected = await checkedAnswer(cell, server.port);
      const subject = { rival, server, expected, alone: [], loaded: [], equal: [], most: [] };
      subjects.push(subject);
      for (let calls = 0; calls < warmUpCalls; )
        calls += (await run(subject, { ms: 1000, ...saturation(cell) })).calls;
    }
    for (let round = 0; round < rounds; round++) await measureRound(subjects, roundMs);
    const slowest = Math.min(...subjects.map(({ most }) => median(most)));
    return subjects.map(({ rival, alone, loaded, equal, most }) => ({
      rival: rival.name,
      alone: middle(alone),
      loaded: { ...middle(loaded), callsPerSecond: median(most) * SHARE },
      equal: { ...middle(equal), callsPerSecond: slowest * SHARE },
    }));
  } finally {
    for (const { server } of subjects) await server.stop();
  }
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

interface Subject {
  readonly server: ServerProcess;
  readonly expected: Buffer;
  readonly alone: Quantiles[];
  readonly loaded: Quantiles[];
  readonly equal: Quantiles[];
  readonly most: number[];
}

async function measureRound(subjects: readonly Subject[], ms: number): Promise<void> {
  // What the servers can take is measured anew in each round, because the machine changes its mind.
  const most: number[] = [];
  for (const subject of subjects) {
    const { calls, seconds } = await run(subject, { ms, ...saturation(LATENCY_CELL) });
    subject.most.push(calls / seconds);
    most.push(calls / seconds);
  }
  for (const [i, subject] of subjects.entries()) {
    const at = async (rate: number) =>
      quantiles((await run(subject, { ms, rate, ...saturation(LATENCY_CELL) })).latencies);
    subject.loaded.push(await at((most[i] ?? 0) * SHARE));
    subject.equal.push(await at(Math.min(...most) * SHARE));
    subject.alone.push(quantiles((await run(subject, { ms, connections: 1, streams: 1 })).latencies));
  }
}

async function run(
  { server, expected }: Subject,
  load: { ms: number; rate?: number; connections: number; streams: number },
) {
  const result = await generate({ cell: LATENCY_CELL, port: server.port, expected, ...load });
  if (result.wrong > 0) throw new Error(`${result.wrong} answers were wrong`);
  return result;
}

function quantiles(values: readonly number[]): Quantiles {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}

function middle(values: readonly Quantiles[]): Quantiles {
  return { p50: median(values.map(({ p50 }) => p50)), p99: median(values.map(({ p99 }) => p99)) };
}
