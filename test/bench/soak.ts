import { CELLS, type Cell, cellName } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { generate, SERVER_CORE, saturation } from "./measure.ts";
import { median } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { type ServerProcess, startPinned } from "./server-process.ts";
import type { Upstream } from "./upstream-process.ts";

/** Calls per second between the measurements, to each server. */
const RATE = 100;

/** What one part of the hour cost. */
export interface SoakSlice {
  readonly fromMinute: number;
  /** CPU per call beside the first server's, which does as little as can be: the machine's moods are in both. */
  readonly ratio: number;
  readonly residentKiB: number;
}

/**
 * Whether a call still costs the same after a long time: a steady load on two servers, and in each minute a moment of
 * saturation for each. Reports sixths of the time.
 */
export async function measureSoak(
  raw: Rival,
  rival: Rival,
  upstream: Upstream,
  minutes: number,
): Promise<SoakSlice[]> {
  const cell = CELLS.find((candidate) => cellName(candidate) === "Cancel grpc") as Cell;
  const servers = [
    await startPinned(SERVER_CORE, raw.command(upstream.port)),
    await startPinned(SERVER_CORE, rival.command(upstream.port)),
  ] as const;
  try {
    const expected = await checkedAnswer(cell, servers[1].port);
    const load = { cell, expected, ...saturation(cell) };
    const cost = async (server: ServerProcess): Promise<number> => {
      const before = server.cpu();
      const { calls, wrong } = await generate({ ...load, port: server.port, ms: 1_000 });
      if (wrong > 0) throw new Error(`${wrong} answers were wrong`);
      return ((server.cpu() - before) * 1e6) / calls;
    };
    for (let i = 0; i < 10; i++) for (const server of servers) await cost(server);
    const ratios: number[] = [];
    const resident: number[] = [];
    for (let minute = 0; minute < minutes; minute++) {
      const slices: number[] = [];
      for (let i = 0; i < 3; i++) slices.push((1 / (await cost(servers[0]))) * (await cost(servers[1])));
      ratios.push(median(slices));
      resident.push(servers[1].resident());
      await Promise.all(
        servers.map(({ port }) => generate({ ...load, port, ms: 54_000, rate: RATE }).then(refuseWrong)),
      );
    }
    const length = Math.max(1, Math.floor(minutes / 6));
    return Array.from({ length: Math.floor(minutes / length) }, (_, i) => ({
      fromMinute: i * length,
      ratio: median(ratios.slice(i * length, (i + 1) * length)),
      residentKiB: median(resident.slice(i * length, (i + 1) * length)),
    }));
  } finally {
    for (const server of servers) await server.stop();
  }
}

function refuseWrong({ wrong }: { readonly wrong: number }): void {
  if (wrong > 0) throw new Error(`${wrong} answers were wrong`);
}
