import { CANCEL } from "./cells.ts";
import type { Options } from "./options.ts";
import { median, percentile } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { generate, type Subject, saturation, withSubjects } from "./subject.ts";
import { startUpstreamHere } from "./upstream-process.ts";

/** How long a server takes to answer. Milliseconds; medians over the rounds. */
export interface Latency {
  readonly rival: string;
  /** With one call in flight. */
  readonly alone: Quantiles;
  /** At {@link SHARE} of the calls per second that it can take itself. */
  readonly loaded: Quantiles;
  /** At {@link SHARE} of the calls per second that the slowest of all servers can take. */
  readonly equal: Quantiles;
  /** Calls per second that it can take itself. */
  readonly most: number;
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** The load at which a server still has room. */
const SHARE = 0.7;

/**
 * Measures the latency of all servers, in turns. Generator and upstream are one process here, which has its core to
 * itself and looks at the clock all the time: else what is measured is how the kernel shares that core between the two.
 */
export async function measureLatency(
  rivals: readonly Rival[],
  { rounds, roundMs, warmUpCalls }: Options,
): Promise<Latency[]> {
  const upstream = await startUpstreamHere();
  const all = await withSubjects(CANCEL, rivals, upstream, warmUpCalls, async (subjects) => {
    const measured: Latency[][] = subjects.map(() => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, latency] of (await measureRound(subjects, roundMs)).entries())
        measured[i]?.push(latency);
    return measured;
  });
  await upstream.stop();
  return all.map((rounds) => ({
    rival: rounds[0]?.rival ?? "",
    alone: middle(rounds.map(({ alone }) => alone)),
    loaded: middle(rounds.map(({ loaded }) => loaded)),
    equal: middle(rounds.map(({ equal }) => equal)),
    most: median(rounds.map(({ most }) => most)),
  }));
}

async function measureRound(subjects: readonly Subject[], ms: number): Promise<Latency[]> {
  const shape = saturation(CANCEL);
  // What the servers can take is measured anew in each round, because the machine changes its mind.
  const most: number[] = [];
  for (const subject of subjects) {
    const { calls, seconds } = await generate(subject, { ms, ...shape });
    most.push(calls / seconds);
  }
  const latencies: Latency[] = [];
  for (const [i, subject] of subjects.entries()) {
    const at = async (rate: number) => quantiles(await generate(subject, { ms, rate, spin: true, ...shape }));
    latencies.push({
      rival: subject.rival.name,
      most: most[i] ?? Number.NaN,
      loaded: await at((most[i] ?? 0) * SHARE),
      equal: await at(Math.min(...most) * SHARE),
      alone: quantiles(await generate(subject, { ms, connections: 1, streams: 1 })),
    });
  }
  return latencies;
}

function quantiles({ latencies }: { readonly latencies: readonly number[] }): Quantiles {
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

function middle(values: readonly Quantiles[]): Quantiles {
  return { p50: median(values.map(({ p50 }) => p50)), p99: median(values.map(({ p99 }) => p99)) };
}
