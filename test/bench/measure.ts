import { type Cell, cellName, WIRES } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { h2load } from "./load/h2load.ts";
import { http1Load } from "./load/http1-load.ts";
import { http2Load } from "./load/http2-load.ts";
import type { Load, LoadResult } from "./load/load.ts";
import type { Options } from "./options.ts";
import type { Rival } from "./rivals/rivals.ts";
import { type ServerProcess, startPinned } from "./server-process.ts";
import type { Upstream } from "./upstream-process.ts";

/** The core of the server under test; the generator and the upstream share {@link OTHER_CORE}. */
export const SERVER_CORE = 0;
export const OTHER_CORE = 1;

/** What one server needed in one cell. */
export interface Measured {
  readonly rival: string;
  /** Microseconds of CPU per call, of each round. */
  readonly cpuMicros: readonly number[];
  /** Calls per second, of each round. */
  readonly callsPerSecond: readonly number[];
  /** Share of its core that the server had; below 1 where the machine was busy with other things. */
  readonly busy: readonly number[];
  /** Resident memory after the last round, KiB. */
  readonly residentKiB: number;
}

/** A server under test with the answer that it must always give. */
interface Subject {
  readonly rival: Rival;
  readonly server: ServerProcess;
  readonly expected: Buffer;
  readonly rounds: { cpuMicros: number; callsPerSecond: number; busy: number }[];
}

/** Measures one cell: all servers at once, in turns, so that a busy machine slows all alike. */
export async function measureCell(
  cell: Cell,
  rivals: readonly Rival[],
  upstream: Upstream,
  options: Options,
): Promise<Measured[]> {
  const subjects: Subject[] = [];
  try {
    for (const rival of rivals.filter(({ serves }) => serves(cell))) {
      const server = await startPinned(SERVER_CORE, rival.command(upstream.port));
      const subject = { rival, server, expected: await checkedAnswer(cell, server.port), rounds: [] };
      subjects.push(subject);
      await warmUp(cell, subject, options.warmUpCalls);
    }
    for (let round = 0; round < options.rounds; round++)
      for (const subject of subjects) subject.rounds.push(await runRound(cell, subject, upstream, options));
    return subjects.map(({ rival, server, rounds }) => ({
      rival: rival.name,
      cpuMicros: rounds.map(({ cpuMicros }) => cpuMicros),
      callsPerSecond: rounds.map(({ callsPerSecond }) => callsPerSecond),
      busy: rounds.map(({ busy }) => busy),
      residentKiB: server.resident(),
    }));
  } finally {
    for (const { server } of subjects) await server.stop();
  }
}

/** A hundred calls in flight over four connections, or 64 connections of one call each. */
export function saturation(cell: Cell): Pick<Load, "connections" | "streams"> {
  return WIRES[cell.carrier].http === 2 ? { connections: 4, streams: 25 } : { connections: 64, streams: 1 };
}

/** Puts a load on a server. */
export function generate(load: Load): Promise<LoadResult> {
  if (load.h2load) return h2load(load);
  return WIRES[load.cell.carrier].http === 2 ? http2Load(load) : http1Load(load);
}

async function warmUp(cell: Cell, { server, expected }: Subject, calls: number): Promise<void> {
  for (let done = 0, tries = 0; done < calls && tries < 20; tries++)
    done += (await generate({ cell, port: server.port, expected, ms: 1000, ...saturation(cell) })).calls;
}

async function runRound(
  cell: Cell,
  { rival, server, expected }: Subject,
  upstream: Upstream,
  { roundMs, h2load }: Options,
): Promise<Subject["rounds"][number]> {
  const asked = await upstream.count();
  const checkedBefore = checkedAnswer(cell, server.port);
  await checkedBefore;
  const cpu = server.cpu();
  const during = new Promise<Buffer>((resolve, reject) => {
    setTimeout(() => checkedAnswer(cell, server.port).then(resolve, reject), roundMs / 2);
  });
  const result = await generate({
    cell,
    port: server.port,
    expected,
    ms: roundMs,
    h2load,
    ...saturation(cell),
  });
  await during;
  const used = server.cpu() - cpu;
  await checkedAnswer(cell, server.port);
  const forwarded = (await upstream.count()) - asked;
  const calls = result.calls + 3;
  if (result.wrong > 0 || forwarded !== calls)
    throw new Error(
      `${rival.name}, ${cellName(cell)}: ${result.wrong} of ${calls} answers were wrong, ${forwarded} requests reached the upstream`,
    );
  return {
    cpuMicros: (used * 1e6) / (result.calls + 1),
    callsPerSecond: result.calls / result.seconds,
    busy: used / result.seconds,
  };
}
