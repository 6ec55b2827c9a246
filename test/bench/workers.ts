import { CANCEL } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import type { Options } from "./options.ts";
import type { Rival } from "./rivals/rivals.ts";
import { startPinned } from "./server-process.ts";
import { generate, type Subject, saturation, warmUp } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

const BOTH_CORES = "0,1";

/** Longer than other rounds, since it takes the kernel its time to spread two workers over the cores. */
const ROUND_MS = 1_000;

/** What one round of one server came to. */
interface Round {
  /** Microseconds of CPU of each process. */
  readonly cpuMicros: readonly number[];
  readonly calls: number;
  readonly seconds: number;
}

/** What all rounds of one server came to. Microseconds of CPU per call. */
interface Cost {
  /** Of all processes together. */
  readonly cpuMicros: number;
  /** Of the process that does most, over all rounds: within one, the kernel favours now one worker, now the other. */
  readonly busiestMicros: number;
  readonly callsPerSecond: number;
}

/** What two workers do that one process does not. */
export interface WorkersGain {
  readonly one: Cost;
  readonly two: Cost;
  /** Calls that two workers answer with a core for each ÷ those that one process answers with one. */
  readonly ratio: number;
}

/**
 * Whether two workers on two cores do nearly twice the work of one. On a machine of two cores nobody can watch that:
 * generator and upstream need CPU, too. So the servers run in the kernel's idle class (sched(7), SCHED_IDLE): what
 * generator and upstream want to do goes first, and a worker runs when all that they can send is with it. Its queue is
 * then as full as on a core of its own, and what a call costs it as well. With a core for each of two workers the
 * busiest one sets the pace, and the process that hands out connections needs its share of both cores.
 */
export async function measureWorkers(
  rival: Rival,
  upstream: Upstream,
  { rounds, warmUpCalls }: Options,
): Promise<WorkersGain> {
  const start = async (workers: number): Promise<Subject> => {
    const { args } = rival.command(upstream.port);
    const server = await startPinned(BOTH_CORES, {
      args: ["chrt", "--idle", "0", ...args, "--workers", String(workers)],
    });
    return { rival, server, cell: CANCEL, expected: await checkedAnswer(CANCEL, server.port) };
  };
  const subjects: Subject[] = [];
  try {
    for (const workers of [1, 2]) {
      const subject = await start(workers);
      subjects.push(subject);
      await warmUp(subject, warmUpCalls * workers);
    }
    const [one, two] = subjects as [Subject, Subject];
    const all: { one: Round; two: Round }[] = [];
    for (let round = 0; round < rounds; round++)
      all.push({ one: await run(one, 1, ROUND_MS), two: await run(two, 2, ROUND_MS) });
    const costs = { one: costOf(all.map((round) => round.one)), two: costOf(all.map((round) => round.two)) };
    return { ...costs, ratio: capacity(costs.two, 2) / capacity(costs.one, 1) };
  } finally {
    for (const { server } of subjects) await server.stop();
  }
}

/** Calls per microsecond on so many cores. */
function capacity({ cpuMicros, busiestMicros }: Cost, cores: number): number {
  return Math.min(1 / busiestMicros, cores / cpuMicros);
}

/** As many connections and calls in flight for each worker. */
async function run(subject: Subject, workers: number, ms: number): Promise<Round> {
  const { connections, streams } = saturation(CANCEL);
  const before = subject.server.cpuOfEach();
  const { calls, seconds } = await generate(subject, { ms, connections: connections * workers, streams });
  const cpuMicros = subject.server.cpuOfEach().map((now, i) => (now - (before[i] ?? 0)) * 1e6);
  return { cpuMicros, calls, seconds };
}

function costOf(rounds: readonly Round[]): Cost {
  const sum = (of: (round: Round) => number): number => rounds.reduce((all, round) => all + of(round), 0);
  const calls = sum((round) => round.calls);
  const each = (rounds[0]?.cpuMicros ?? []).map((_, i) => sum((round) => round.cpuMicros[i] ?? 0) / calls);
  return {
    cpuMicros: each.reduce((all, micros) => all + micros, 0),
    busiestMicros: Math.max(...each),
    callsPerSecond: calls / sum((round) => round.seconds),
  };
}
