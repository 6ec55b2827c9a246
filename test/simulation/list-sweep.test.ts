import { expect, test } from "vitest";
import {
  type ListOperationsResponse,
  ListOperationsResponseSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import { WatchOperationResponse_Kind as Kind } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { encode } from "../support/encode.ts";
import { type BenchOptions, EngineBench, operationName } from "../support/engine-bench.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { StreamReader } from "../support/stream-reader.ts";

const WATCHED = 500;

/** Watches operations of one dataset to their ends; how late each end was told, in milliseconds. */
function watchAll(bench: EngineBench, count: number, endsIn: (n: number) => number) {
  const { clock, engine, upstream, call } = bench;
  const lags: number[] = [];
  for (let n = 0; n < count; n++) {
    const operation = upstream.start(operationName(n), endsIn(n));
    new StreamReader(engine.watchOperation(operation.name, call()), (message) => {
      if (message.kind === Kind.STATE && message.operation?.done)
        lags.push(clock.monotonic() - upstream.endOf(operation));
    });
  }
  return lags;
}

function sweepBench(options: BenchOptions = {}) {
  return new EngineBench({ ...options, config: { listThreshold: 20, ...options.config } });
}

test(`${WATCHED} watched operations of one dataset: the requests of a cycle are the pages of its list`, async () => {
  const bench = sweepBench();
  const { clock, upstream } = bench;
  const random = new SeededRandom(1);
  const lags = watchAll(bench, WATCHED, () => random.between(300_000, 900_000));
  await clock.advance(120_000);
  const from = upstream.log.length;
  await clock.advance(120_000);
  const cycle = upstream.log.slice(from);
  const lists = cycle.filter(({ kind }) => kind === "list").length;
  const samples = cycle.filter(({ kind }) => kind === "get").length;
  const pages = Math.ceil(WATCHED / 100);
  const cycles = lists / pages;
  console.log(
    `${cycles} cycles in 2 minutes: ${lists} pages, ${samples} sampled reads; single reads would be ${Math.round(cycles * WATCHED)}`,
  );
  expect(cycles).toBeGreaterThanOrEqual(6);
  expect(cycles).toBeLessThanOrEqual(8);
  expect(samples).toBeLessThanOrEqual(Math.ceil(cycles));
  await clock.advance(800_000);
  expect(lags).toHaveLength(WATCHED);
  // An interval, its jitter downwards, and the pages of one pass.
  expect(Math.max(...lags)).toBeLessThanOrEqual(20_000 + 300);
}, 60_000);

test("from the first moment on the list answers for all of them", async () => {
  const bench = sweepBench();
  watchAll(bench, WATCHED, () => 300_000);
  await bench.clock.advance(1_000);
  const gets = bench.upstream.requests("get").length;
  expect(gets).toBeLessThanOrEqual(25);
});

test("below the threshold each is read by itself", async () => {
  const bench = sweepBench();
  watchAll(bench, 19, () => 60_000);
  await bench.clock.advance(60_000);
  expect(bench.upstream.requests("list")).toEqual([]);
});

test("what the list leaves out is read by itself, and no end is lost", async () => {
  const hidden = new Set(Array.from({ length: 10 }, (_, n) => operationName(n * 3)));
  const bench = sweepBench({ behaviour: { omits: (name) => hidden.has(name) } });
  const lags = watchAll(bench, 40, (n) => 60_000 + n * 1_000);
  await bench.clock.advance(130_000);
  expect(lags).toHaveLength(40);
  expect(Math.max(...lags)).toBeLessThanOrEqual(20_000 + 1_000);
});

test("a list that lags for ever is found out, and single reads take over", async () => {
  const bench = sweepBench({ behaviour: { lag: (kind) => (kind === "list" ? 3_600_000 : 0) } });
  const lags = watchAll(bench, 40, (n) => 60_000 + n * 2_000);
  await bench.clock.advance(300_000);
  expect(lags).toHaveLength(40);
});

test("a list that may not be read, or does not exist, leaves everything to single reads", async () => {
  for (const fault of [
    { status: 403 },
    { status: 404, body: "<html>" },
    { status: 501 },
    { status: 503 },
  ] as const) {
    const bench = sweepBench({ behaviour: { fault: (kind) => (kind === "list" ? { fault } : undefined) } });
    const lags = watchAll(bench, 40, (n) => 30_000 + n * 1_000);
    await bench.clock.advance(100_000);
    expect(lags, `HTTP ${fault.status}`).toHaveLength(40);
    expect(Math.max(...lags)).toBeLessThanOrEqual(20_000 + 1_000);
    expect(bench.upstream.requests("list").length).toBeLessThan(15);
  }
});

test("pages that fail in the middle cost no end: their operations are read by themselves", async () => {
  const random = new SeededRandom(3);
  const bench = sweepBench({
    behaviour: {
      pageSize: 10,
      fault: (kind) => (kind === "list" && random.chance(0.2) ? { fault: { status: 503 } } : undefined),
    },
  });
  const lags = watchAll(bench, 60, (n) => 60_000 + n * 1_000);
  await bench.clock.advance(200_000);
  expect(lags).toHaveLength(60);
});

test("a dataset with more pages than watched operations is not swept", async () => {
  const bench = sweepBench({ behaviour: { pageSize: 10 } });
  for (let n = 0; n < 500; n++) bench.upstream.start(operationName(`old-${n}`), -60_000);
  const lags = watchAll(bench, 30, () => 100_000);
  await bench.clock.advance(130_000);
  expect(lags).toHaveLength(30);
  expect(bench.upstream.requests("list").length).toBeLessThanOrEqual(53);
});

test("identities are swept apart, each with its own token", async () => {
  const allows = (authorization: string | undefined, name: string) =>
    (authorization === "Bearer odd") === (Number(name.slice(name.lastIndexOf("/") + 1)) % 2 === 1);
  const { clock, engine, upstream, call } = sweepBench({ behaviour: { allows } });
  const wrong: string[] = [];
  let ends = 0;
  for (let n = 0; n < 60; n++) {
    const { name } = upstream.start(operationName(n), 60_000);
    for (const token of ["odd", "even"]) {
      const mine = (token === "odd") === (n % 2 === 1);
      const reader = new StreamReader(engine.watchOperation(name, call({ token })), (message) => {
        if (message.kind === Kind.STATE && !mine) wrong.push(`${token} got ${name}`);
        if (message.kind === Kind.STATE && message.operation?.done) ends++;
      });
      reader.end.then((error) => {
        if (!mine && error?.code !== 7) wrong.push(`${token} ended with ${error}`);
      });
    }
  }
  await clock.advance(120_000);
  expect(wrong).toEqual([]);
  expect(ends).toBe(60);
  expect(engine.stats).toMatchObject({ operations: 0, watches: 0 });
});

test("an end that a list shows needs no read of its own", async () => {
  const bench = sweepBench();
  const { clock, upstream } = bench;
  const lags = watchAll(bench, 100, () => 60_000);
  await clock.advance(58_000);
  const before = upstream.requests("get").length;
  await clock.advance(30_000);
  expect(lags).toHaveLength(100);
  // The sample of each sweep, and no more.
  expect(upstream.requests("get").length - before).toBeLessThanOrEqual(3);
});

test("a sweep keeps the interval of its youngest member", async () => {
  const bench = sweepBench();
  const { clock, engine, upstream, call } = bench;
  for (let n = 0; n < 30; n++) {
    const { name } = upstream.start(operationName(n), 3_600_000, "response", 600_000);
    new StreamReader(engine.watchOperation(name, call()));
  }
  await clock.advance(90_000);
  const lists = () => upstream.requests("list").map(({ at }) => at);
  const slow = lists();
  expect(slow.at(-1)! - slow.at(-2)!).toBeGreaterThanOrEqual(18_000);
  const begun = clock.monotonic();
  new StreamReader(engine.watchOperation(upstream.start(operationName("young"), 3_600_000).name, call()));
  await clock.advance(60_000);
  const after = lists().filter((at) => at > begun + 1_100);
  for (const [n, at] of after.slice(1).entries()) {
    const age = after[n]! - begun;
    expect(at - after[n]!).toBeLessThanOrEqual(Math.min(Math.max(age / 3, 1_000), 20_000) + 100);
  }
});

/** Lets every list hold what `change` makes of its operations. */
function changeLists(
  { upstream }: EngineBench,
  change: (page: ListOperationsResponse["operations"], token: string) => ListOperationsResponse["operations"],
): void {
  const list = upstream.list.bind(upstream);
  upstream.list = async (request, call) => {
    const page = (await list(request, call)).toMessage();
    const operations = change(page.operations, request.pageToken);
    return encode(ListOperationsResponseSchema, { ...page, operations });
  };
}

test("of two entries of one name done wins, else the one on the later page", async () => {
  const bench = sweepBench({ behaviour: { pageSize: 20 } });
  const { clock, engine, upstream, call } = bench;
  const finished = operationName("00");
  const running = operationName("01");
  for (let n = 0; n < 40; n++)
    upstream.start(operationName(String(n).padStart(2, "0")), n === 0 ? 30_000 : 3_600_000);
  // The second page shows these two once more: as they were ten seconds ago, and as one of them will be.
  changeLists(bench, (operations, token) => {
    if (token === "") return operations;
    const now = clock.monotonic();
    return [
      ...operations,
      upstream.show(upstream.operations.get(finished)!, now - 10_000),
      upstream.show(upstream.operations.get(running)!, now + 600_000),
    ];
  });
  const readers = new Map(
    [...upstream.operations.keys()].map((name) => [
      name,
      new StreamReader(engine.watchOperation(name, call())),
    ]),
  );
  await clock.advance(120_000);
  expect(readers.get(finished)).toMatchObject({ ended: true, error: undefined });
  expect(readers.get(finished)!.messages.at(-1)!.operation!.done).toBe(true);
  const fractions = readers.get(running)!.messages.map(({ progress }) => progress?.fraction ?? 0);
  expect(Math.max(...fractions)).toBeGreaterThan(0.15);
});
