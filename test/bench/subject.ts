import { type Cell, WIRES } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { http1Load } from "./load/http1-load.ts";
import { http2Load } from "./load/http2-load.ts";
import type { Load, LoadResult } from "./load/load.ts";
import type { Rival } from "./rivals/rivals.ts";
import { type ServerProcess, startPinned } from "./server-process.ts";
import type { Upstream } from "./upstream-process.ts";

/** The core of the server under test; the generator and the upstream share {@link OTHER_CORE}. */
export const SERVER_CORE = 0;
export const OTHER_CORE = 1;

/** A server under test with the answer that it must always give. */
export interface Subject {
  readonly rival: Rival;
  readonly server: ServerProcess;
  readonly cell: Cell;
  readonly expected: Buffer;
}

/** How calls come: over so many connections, so many at a time on each. */
export type Shape = Pick<Load, "connections" | "streams">;

/** A hundred calls in flight over four connections, or 64 connections of one call each. */
export function saturation(cell: Cell): Shape {
  return WIRES[cell.carrier].http === 2 ? { connections: 4, streams: 25 } : { connections: 64, streams: 1 };
}

/** Starts all that serve the cell, warms them up, has them measured, and stops them. */
export async function withSubjects<T>(
  cell: Cell,
  rivals: readonly Rival[],
  upstream: Upstream,
  warmUpCalls: number,
  measure: (subjects: readonly Subject[]) => Promise<T>,
): Promise<T> {
  const subjects: Subject[] = [];
  try {
    for (const rival of rivals.filter(({ serves }) => serves(cell))) {
      const server = await startPinned(SERVER_CORE, rival.command(upstream.port, WIRES[cell.carrier].tls));
      const subject = { rival, server, cell, expected: await checkedAnswer(cell, server.port) };
      subjects.push(subject);
      await warmUp(subject, warmUpCalls);
    }
    return await measure(subjects);
  } finally {
    for (const { server } of subjects) await server.stop();
  }
}

/** Calls before anything is measured: compiled code and grown pools are what counts. */
export async function warmUp(subject: Subject, calls: number): Promise<void> {
  for (let done = 0, tries = 0; done < calls && tries < 20; tries++)
    done += (await generate(subject, { ms: 1000, ...saturation(subject.cell) })).calls;
}

/** Puts a load on a server; throws if one answer is not what it must be. */
export async function generate(
  subject: Subject,
  load: Shape & Pick<Load, "ms" | "rate" | "spin">,
): Promise<LoadResult> {
  const { cell, expected, server } = subject;
  const send = WIRES[cell.carrier].http === 2 ? http2Load : http1Load;
  return allRight(subject, await send({ cell, expected, port: server.port, ...load }));
}

/** Throws if one answer was not what it must be. */
export function allRight({ rival }: Subject, result: LoadResult): LoadResult {
  if (result.wrong > 0)
    throw new Error(`${rival.name}: ${result.wrong} of ${result.calls} answers were wrong`);
  return result;
}
