import { type Cell, cellName } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import type { LoadResult } from "./load/load.ts";
import type { Options } from "./options.ts";
import type { Rival } from "./rivals/rivals.ts";
import { generate, type Subject, saturation, withSubjects } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

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

/** What one server needed in one round. */
export interface Round {
  readonly cpuMicros: number;
  readonly callsPerSecond: number;
  readonly busy: number;
}

/** Measures one cell: all servers at once, in turns, so that a busy machine slows all alike. */
export function measureCell(
  cell: Cell,
  rivals: readonly Rival[],
  upstream: Upstream,
  { rounds, roundMs, warmUpCalls }: Options,
): Promise<Measured[]> {
  return withSubjects(cell, rivals, upstream, warmUpCalls, async (subjects) => {
    const measured: Round[][] = subjects.map(() => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, subject] of subjects.entries())
        measured[i]?.push(
          await runRound(subject, upstream, roundMs / 2, () =>
            generate(subject, { ms: roundMs, ...saturation(cell) }),
          ),
        );
    return subjects.map(({ rival, server }, i) => inColumns(rival, measured[i] ?? [], server.resident()));
  });
}

/** The rounds of one server. */
export function inColumns({ name }: Rival, rounds: readonly Round[], residentKiB: number): Measured {
  return {
    rival: name,
    cpuMicros: rounds.map(({ cpuMicros }) => cpuMicros),
    callsPerSecond: rounds.map(({ callsPerSecond }) => callsPerSecond),
    busy: rounds.map(({ busy }) => busy),
    residentKiB,
  };
}

/**
 * What a load costs a server. Node's own client asks before, `middleMs` into the load, and after it, and what it gets is
 * decoded; and the upstream must have had exactly as many requests as there were answers.
 */
export async function runRound(
  { rival, server, cell }: Subject,
  upstream: Upstream,
  middleMs: number,
  load: () => Promise<LoadResult>,
): Promise<Round> {
  const asked = await upstream.count();
  await checkedAnswer(cell, server.port);
  const cpu = server.cpu();
  const during = new Promise<Buffer>((resolve, reject) => {
    setTimeout(() => checkedAnswer(cell, server.port).then(resolve, reject), middleMs);
  });
  const result = await load();
  await during;
  const used = server.cpu() - cpu;
  await checkedAnswer(cell, server.port);
  const forwarded = (await upstream.count()) - asked;
  const calls = result.calls + 3;
  if (forwarded !== calls)
    throw new Error(
      `${rival.name}, ${cellName(cell)}: ${forwarded} requests reached the upstream for ${calls} calls`,
    );
  return {
    cpuMicros: (used * 1e6) / (result.calls + 1),
    callsPerSecond: result.calls / result.seconds,
    busy: used / result.seconds,
  };
}
