import { CANCEL } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import type { Options } from "./options.ts";
import { median } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { startPinned } from "./server-process.ts";
import { generate, type Subject, saturation, warmUp } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

const BOTH_CORES = "0,1";

/** Longer than other rounds, since it takes the kernel its time to spread two workers over the cores. */
const ROUND_MS = 1_000;

/** What one round of one server came to. Microseconds of CPU per call. */
interface Round {
  /** Of all processes together. */
  readonly cpuMicros: number;
  /** Of the process that does most. */
  readonly busiestMicros: number;
  readonly callsPerSecond: number;
}

/** What two workers do that one process does not; medians of the rounds. */
export interface WorkersGain {
  readonly one: Round;
  readonly two: Round;
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
    return {
      one: middle(all.map((round) => round.one)),
      two: middle(all.map((round) => round.two)),
      ratio: median(all.map(({ one, two }) => capacity(two, 2) / capacity(one, 1))),
    };
  } finally {
    for (const { server } of subjects) await server.stop();
  }
}

/** Calls per microsecond on so many cores. */
function capacity({ cpuMicros, busiestMicros }: Round, cores: number): number {
  return Math.min(1 / busiestMicros, cores / cpuMicros);
}

/** As many connections and calls in flight for each worker. */
async function run(subject: Subject, workers: number, ms: number): Promise<Round> {
  const { connections, streams } = saturation(CANCEL);
  const before = subject.server.cpuOfEach();
  const { calls, seconds } = await generate(subject, { ms, connections: connections * workers, streams });
  const each = subject.server.cpuOfEach().map((now, i) => ((now - (before[i] ?? 0)) * 1e6) / calls);
  return {
    cpuMicros: each.reduce((sum, micros) => sum + micros, 0),
    busiestMicros: Math.max(...each),
    callsPerSecond: calls / seconds,
  };
}

function middle(rounds: readonly Round[]): Round {
  const of = (key: keyof Round): number => median(rounds.map((round) => round[key]));
  return {
    cpuMicros: of("cpuMicros"),
    busiestMicros: of("busiestMicros"),
    callsPerSecond: of("callsPerSecond"),
  };
}
