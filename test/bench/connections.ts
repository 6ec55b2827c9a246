import { setTimeout as sleep } from "node:timers/promises";
import { CELLS, type Cell, cellName } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { generate, SERVER_CORE, saturation } from "./measure.ts";
import type { Options } from "./options.ts";
import { median } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { startPinned } from "./server-process.ts";
import type { Upstream } from "./upstream-process.ts";

/** Calls in flight: the same number over few connections and over many, and one on each of a thousand. */
const SHAPES = [
  { connections: 1, streams: 100 },
  { connections: 10, streams: 10 },
  { connections: 100, streams: 1 },
  { connections: 1000, streams: 1 },
] as const;

/** Opening connections costs too, but once and not for each call: it is over by then. */
const OPENING_MS = 1_500;
const MEASURED_MS = 1_000;

/** What a call costs over so many connections, beside what it costs over one. */
export interface CostOverConnections {
  readonly connections: number;
  readonly streams: number;
  readonly cpuMicros: number;
  /** Median of the ratios of the rounds; 1 for one connection. */
  readonly ratio: number;
}

/** Whether a call costs the same however many connections the callers have. */
export async function measureConnections(
  rival: Rival,
  upstream: Upstream,
  { rounds, warmUpCalls }: Options,
): Promise<CostOverConnections[]> {
  const cell = CELLS.find((candidate) => cellName(candidate) === "Cancel grpc") as Cell;
  const server = await startPinned(SERVER_CORE, rival.command(upstream.port));
  try {
    const expected = await checkedAnswer(cell, server.port);
    const { port } = server;
    for (let calls = 0; calls < warmUpCalls; )
      calls += (await generate({ cell, port, expected, ms: 1000, ...saturation(cell) })).calls;
    const costs: number[][] = SHAPES.map(() => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, shape] of SHAPES.entries()) {
        const load = generate({ cell, port, expected, ms: OPENING_MS + MEASURED_MS + 200, ...shape });
        await sleep(OPENING_MS);
        const from = { cpu: server.cpu(), calls: await upstream.count() };
        await sleep(MEASURED_MS);
        const used = server.cpu() - from.cpu;
        const calls = (await upstream.count()) - from.calls;
        const { wrong } = await load;
        if (wrong > 0) throw new Error(`${wrong} answers were wrong`);
        costs[i]?.push((used * 1e6) / calls);
      }
    return SHAPES.map((shape, i) => {
      const cost = costs[i] ?? [];
      const ratios = cost.map((micros, round) => micros / (costs[0]?.[round] ?? Number.NaN));
      return { ...shape, cpuMicros: median(cost), ratio: median(ratios) };
    });
  } finally {
    await server.stop();
  }
}
