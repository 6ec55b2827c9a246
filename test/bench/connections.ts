import { setTimeout as sleep } from "node:timers/promises";
import { CANCEL } from "./cells.ts";
import type { Options } from "./options.ts";
import type { Rival } from "./rivals/rivals.ts";
import { generate, type Shape, type Subject, withSubjects } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

/** Calls in flight at most, in all: Envoy lets 1,024 wait for its connections to the upstream, the gateway 10,000. */
const MOST_IN_FLIGHT = 1_000;

/** Calls in flight: 1, 10 and 100 on each of 1 to 1,000 connections. */
const SHAPES: readonly Shape[] = [1, 10, 100].flatMap((streams) =>
  [1, 10, 100, 1000]
    .filter((connections) => connections * streams <= MOST_IN_FLIGHT)
    .map((connections) => ({ connections, streams })),
);

/** Opening connections costs too, but once and not for each call: it is over by then. */
const OPENING_MS = { few: 250, many: 1_500 };
const MEASURED_MS = 500;

/** What a call costs a server over so many connections. */
export interface CostOverConnections extends Shape {
  readonly rival: string;
  /** Microseconds of CPU per call, of each round. */
  readonly cpuMicros: readonly number[];
}

/** Whether a call costs the same however many connections the callers have. */
export function measureConnections(
  rivals: readonly Rival[],
  upstream: Upstream,
  { rounds, warmUpCalls }: Options,
): Promise<CostOverConnections[]> {
  return withSubjects(CANCEL, rivals, upstream, warmUpCalls, async (subjects) => {
    const costs = subjects.flatMap((subject) =>
      SHAPES.map((shape) => ({ subject, shape, cpuMicros: [] as number[] })),
    );
    for (let round = 0; round < rounds; round++)
      for (const shape of SHAPES)
        for (const cost of costs.filter((one) => one.shape === shape))
          cost.cpuMicros.push(await costOf(cost.subject, upstream, shape));
    return costs.map(({ subject, shape, cpuMicros }) => ({
      rival: subject.rival.name,
      ...shape,
      cpuMicros,
    }));
  });
}

async function costOf(subject: Subject, upstream: Upstream, shape: Shape): Promise<number> {
  const opening = shape.connections > 100 ? OPENING_MS.many : OPENING_MS.few;
  const load = generate(subject, { ms: opening + MEASURED_MS + 100, ...shape });
  await sleep(opening);
  const from = { cpu: subject.server.cpu(), calls: await upstream.count() };
  await sleep(MEASURED_MS);
  const used = subject.server.cpu() - from.cpu;
  const calls = (await upstream.count()) - from.calls;
  await load;
  return (used * 1e6) / calls;
}
