import { CANCEL } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { median } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { startPinned } from "./server-process.ts";
import { SERVER_CORE } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

/** Milliseconds from the start of the process to its first answer, and its memory then. */
export interface Start {
  readonly rival: string;
  readonly firstAnswerMs: number;
  readonly residentKiB: number;
}

/** Starts each server so many times; the first start of each, which may compile, is not counted. */
export async function measureStarts(
  rivals: readonly Rival[],
  upstream: Upstream,
  rounds: number,
): Promise<Start[]> {
  const starts = new Map<Rival, { ms: number; kib: number }[]>();
  for (let round = 0; round <= rounds; round++)
    for (const rival of rivals.filter(({ serves }) => serves(CANCEL))) {
      const began = performance.now();
      const server = await startPinned(SERVER_CORE, rival.command(upstream.port));
      try {
        await checkedAnswer(CANCEL, server.port);
        const start = { ms: performance.now() - began, kib: server.resident() };
        if (round > 0) starts.set(rival, [...(starts.get(rival) ?? []), start]);
      } finally {
        // In order, so that what it keeps for its next start is written.
        await server.stop("SIGTERM");
      }
    }
  return [...starts].map(([{ name }, all]) => ({
    rival: name,
    firstAnswerMs: median(all.map(({ ms }) => ms)),
    residentKiB: median(all.map(({ kib }) => kib)),
  }));
}
