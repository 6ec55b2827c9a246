import { CANCEL } from "./cells.ts";
import { connectionLoad } from "./load/http2-load.ts";
import { inColumns, type Measured, type Round, runRound } from "./measure.ts";
import type { Options } from "./options.ts";
import type { Rival } from "./rivals/rivals.ts";
import { allRight, withSubjects } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

/** Connections that open at the same time. */
const AT_ONCE = 8;

/** What it costs to open a connection and make one call on it, in clear text and over TLS (full handshakes, P-256). */
export async function measureHandshakes(
  rivals: readonly Rival[],
  upstream: Upstream,
  { rounds, roundMs, warmUpCalls }: Options,
): Promise<Record<string, readonly Measured[]>> {
  const rows: Record<string, readonly Measured[]> = {};
  for (const carrier of ["grpc", "grpc-tls"] as const) {
    const cell = { ...CANCEL, carrier };
    rows[carrier] = await withSubjects(cell, rivals, upstream, warmUpCalls / 4, async (subjects) => {
      const measured: Round[][] = subjects.map(() => []);
      // The first round warms up what only connections use.
      for (let round = 0; round <= rounds; round++)
        for (const [i, subject] of subjects.entries()) {
          const { expected, server } = subject;
          const load = { cell, expected, port: server.port, ms: roundMs, connections: AT_ONCE, streams: 1 };
          const one = await runRound(subject, upstream, roundMs / 2, async () =>
            allRight(subject, await connectionLoad(load)),
          );
          if (round > 0) measured[i]?.push(one);
        }
      return subjects.map(({ rival, server }, i) => inColumns(rival, measured[i] ?? [], server.resident()));
    });
  }
  return rows;
}
