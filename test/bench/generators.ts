import { type Cell, cellName } from "./cells.ts";
import { h2load } from "./load/h2load.ts";
import { inColumns, type Measured, type Round, runRound } from "./measure.ts";
import type { Options } from "./options.ts";
import type { Rival } from "./rivals/rivals.ts";
import { allRight, generate, withSubjects } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

/** What both generators can do: one call in flight on each connection. */
const SHAPE = { connections: 64, streams: 1 };

const CELLS: readonly Cell[] = [
  { method: "CancelOperation", carrier: "grpc" },
  { method: "GetOperation", carrier: "grpc" },
  { method: "ListOperations", carrier: "grpc" },
  { method: "CancelOperation", carrier: "connect-h1" },
  { method: "CancelOperation", carrier: "connect-json-h1" },
];

/** The cells by both generators: the same calls, on the same servers, in the same round. */
export async function measureGenerators(
  rivals: readonly Rival[],
  upstream: Upstream,
  options: Options,
): Promise<Record<string, readonly Measured[]>> {
  const rows: Record<string, readonly Measured[]> = {};
  for (const cell of CELLS.filter((one) => options.only.test(cellName(one)))) {
    const { own, other } = await measureBoth(cell, rivals, upstream, options);
    rows[`${cellName(cell)}, own generator`] = own;
    rows[`${cellName(cell)}, h2load`] = other;
  }
  return rows;
}

function measureBoth(
  cell: Cell,
  rivals: readonly Rival[],
  upstream: Upstream,
  { rounds, roundMs, warmUpCalls }: Options,
): Promise<{ own: Measured[]; other: Measured[] }> {
  return withSubjects(cell, rivals, upstream, warmUpCalls, async (subjects) => {
    const own: Round[][] = subjects.map(() => []);
    const other: Round[][] = subjects.map(() => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, subject] of subjects.entries()) {
        const { expected, server } = subject;
        let calls = 0;
        const byOwn = await runRound(subject, upstream, roundMs / 2, async () => {
          const result = await generate(subject, { ms: roundMs, ...SHAPE });
          ({ calls } = result);
          return result;
        });
        const { connections } = SHAPE;
        const byOther = await runRound(subject, upstream, roundMs / 2, async () =>
          allRight(subject, await h2load({ cell, expected, port: server.port, connections, calls })),
        );
        own[i]?.push(byOwn);
        other[i]?.push(byOther);
      }
    const all = (of: readonly (readonly Round[])[]) =>
      subjects.map(({ rival, server }, i) => inColumns(rival, of[i] ?? [], server.resident()));
    return { own: all(own), other: all(other) };
  });
}
