import { CELLS, type Cell, cellName } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { generate, SERVER_CORE, saturation } from "./measure.ts";
import type { Options } from "./options.ts";
import { median } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { type ServerProcess, startPinned } from "./server-process.ts";
import type { Upstream } from "./upstream-process.ts";

const BOTH_CORES = "0,1";

/** What one round of one server came to. */
interface Round {
  /** Microseconds of CPU per call, of all of the server's processes. */
  readonly cpuMicros: number;
  readonly callsPerSecond: number;
  /** How many cores the server had on average. */
  readonly cores: number;
}

/** What two workers do that one process does not; medians of the rounds. */
export interface WorkersGain {
  /** One process, with a core to itself. */
  readonly one: Round;
  /** Two workers and their first process, on two cores that they share with the generator and the upstream. */
  readonly two: Round;
  /** Calls that two workers answer with two cores of CPU ÷ those that one answers with one. */
  readonly ratio: number;
}

/**
 * Whether two workers on two cores do twice the work of one. On a machine of two cores they cannot have both: the load
 * generator and the upstream need CPU as well. So the measure is what a call costs, all processes added up, at
 * saturation: with two cores to themselves, two workers that have as many connections each (test/cli/worker-failures)
 * answer as many calls as two cores pay for. Sharing a core makes their calls dearer, not cheaper.
 */
export async function measureWorkers(
  rival: Rival,
  upstream: Upstream,
  { rounds, roundMs, warmUpCalls }: Options,
): Promise<WorkersGain> {
  const cell = CELLS.find((candidate) => cellName(candidate) === "Cancel grpc") as Cell;
  const { args } = rival.command(upstream.port);
  const servers: ServerProcess[] = [];
  const load = async (server: ServerProcess, ms: number) => {
    const expected = await checkedAnswer(cell, server.port);
    const before = server.cpu();
    const result = await generate({ cell, port: server.port, expected, ms, ...saturation(cell) });
    if (result.wrong > 0) throw new Error(`${result.wrong} answers were wrong`);
    return { ...result, used: server.cpu() - before };
  };
  const warmUp = async (server: ServerProcess): Promise<void> => {
    for (let calls = 0; calls < warmUpCalls; ) calls += (await load(server, 1_000)).calls;
  };
  const run = async (server: ServerProcess): Promise<Round> => {
    const { calls, seconds, used } = await load(server, roundMs);
    return { cpuMicros: (used * 1e6) / calls, callsPerSecond: calls / seconds, cores: used / seconds };
  };
  try {
    const one = await startPinned(SERVER_CORE, { args });
    servers.push(one);
    const two = await startPinned(BOTH_CORES, { args: [...args, "--workers", "2"] });
    servers.push(two);
    await warmUp(one);
    await warmUp(two);
    const all: { one: Round; two: Round }[] = [];
    for (let round = 0; round < rounds; round++) all.push({ one: await run(one), two: await run(two) });
    return {
      one: middle(all.map((round) => round.one)),
      two: middle(all.map((round) => round.two)),
      ratio: median(all.map((round) => (2 * round.one.cpuMicros) / round.two.cpuMicros)),
    };
  } finally {
    for (const server of servers) await server.stop();
  }
}

function middle(rounds: readonly Round[]): Round {
  const of = (key: keyof Round): number => median(rounds.map((round) => round[key]));
  return { cpuMicros: of("cpuMicros"), callsPerSecond: of("callsPerSecond"), cores: of("cores") };
}
