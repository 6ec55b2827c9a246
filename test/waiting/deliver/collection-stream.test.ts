import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import {
  WatchOperationsResponse_GoneReason as GoneReason,
  WatchOperationsResponse_Kind as Kind,
  State,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { type BenchOptions, DEFAULTS, EngineBench, operationName } from "../../support/engine-bench.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { StreamReader } from "../../support/stream-reader.ts";

const PARENT = operationName(0).replace(/\/operations\/.*/, "");
const HOUR = 3_600_000;

function bench(options: BenchOptions = {}) {
  const made = new EngineBench(options);
  const watch = (filter = "", token?: string) => {
    const reader = new StreamReader(
      made.engine.watchOperations(PARENT, filter, made.call(token ? { token } : {})),
    );
    const told = () =>
      reader.messages
        .filter(({ kind }) => kind !== Kind.HEARTBEAT)
        .map(({ kind, name }) => [kind, name.slice(name.lastIndexOf("/") + 1)]);
    return Object.assign(reader, { told });
  };
  return Object.assign(made, { watch });
}

test("first what is there, then the end of that, then what changes and what is new", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(operationName(1), HOUR, "nothing", HOUR * 1e6);
  upstream.start(operationName(2), 5_000);
  const reader = watch();
  await clock.advance(100);
  expect(reader.told()).toEqual([
    [Kind.SNAPSHOT, "1"],
    [Kind.SNAPSHOT, "2"],
    [Kind.SNAPSHOT_END, ""],
  ]);
  upstream.start(operationName(3), HOUR, "nothing", HOUR * 1e6);
  await clock.advance(10_000);
  const later = reader.told().slice(3);
  expect(later.filter(([, id]) => id === "3")).toEqual([[Kind.ADDED, "3"]]);
  expect(later.filter(([kind, id]) => id === "2" && kind !== Kind.CHANGED)).toEqual([]);
  const ends = reader.messages.filter(({ state }) => state === State.SUCCEEDED);
  expect(ends.map(({ name }) => name)).toEqual([operationName(2)]);
  expect(reader.ended).toBe(false);
});

test("an empty collection has a snapshot too", async () => {
  const { clock, watch } = bench();
  const reader = watch();
  await clock.advance(100);
  expect(reader.told()).toEqual([[Kind.SNAPSHOT_END, ""]]);
});

test("the filter goes upstream as it is, and each filter is watched apart", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(operationName(1), HOUR);
  upstream.start(operationName(2), 1);
  await clock.advance(1_000);
  const [all, running] = [watch(), watch("done:false")];
  await clock.advance(100);
  expect(all.told()).toHaveLength(3);
  expect(running.told()).toEqual([
    [Kind.SNAPSHOT, "1"],
    [Kind.SNAPSHOT_END, ""],
  ]);
});

test("many watchers of one collection cost one pass, and a newcomer none", async () => {
  const { clock, upstream, watch } = bench();
  for (let id = 0; id < 250; id++) upstream.start(operationName(id), HOUR, "response", HOUR);
  for (let n = 0; n < 20; n++) watch();
  await clock.advance(1_000);
  expect(upstream.requests()).toHaveLength(3);
  const late = watch();
  expect(late.told()).toHaveLength(251);
  expect(upstream.requests()).toHaveLength(3);
});

test("an operation is GONE when a read answers 404", async () => {
  const { clock, upstream, watch } = bench();
  const operation = upstream.start(operationName(1), HOUR);
  upstream.start(operationName(2), HOUR);
  const reader = watch();
  await clock.advance(2_000);
  operation.deletedAt = clock.monotonic();
  await clock.advance(30_000);
  const gone = reader.messages.filter(({ kind }) => kind === Kind.GONE);
  expect(gone).toHaveLength(1);
  expect(gone[0]).toMatchObject({ name: operationName(1), goneReason: GoneReason.NOT_FOUND });
  expect(gone[0]?.operation).toBeUndefined();
});

test("an operation is GONE when the filter leaves it out and a read shows why", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(operationName(1), 10_000);
  upstream.start(operationName(2), HOUR);
  const reader = watch("done:false");
  await clock.advance(60_000);
  const about = reader.messages.filter(({ name }) => name === operationName(1));
  expect(about.at(-1)).toMatchObject({
    kind: Kind.GONE,
    goneReason: GoneReason.FILTERED_OUT,
    state: State.SUCCEEDED,
  });
  expect(about.filter(({ kind }) => kind === Kind.GONE)).toHaveLength(1);
});

test("a list that leaves out what is unchanged does not make it GONE, filter or not", async () => {
  const hidden = new Set<string>();
  const { clock, upstream, watch } = bench({ behaviour: { omits: (name) => hidden.has(name) } });
  upstream.start(operationName(1), HOUR, "response", HOUR * 1e6);
  const readers = [watch(), watch("done:false")];
  await clock.advance(2_000);
  hidden.add(operationName(1));
  await clock.advance(120_000);
  for (const reader of readers) expect(reader.told().map(([kind]) => kind)).not.toContain(Kind.GONE);
  expect(upstream.requests("get").length).toBeGreaterThan(0);
});

const FILTERS = ["", "done:false", 'metadata.apiMethodName:"Rollback"', "name:operations", "status:running"];

test.each(FILTERS)(
  "a list that lags does not make an operation GONE while its counters change (%j)",
  async (filter) => {
    let hides = false;
    const { clock, upstream, watch } = bench({ behaviour: { omits: () => hides } });
    upstream.start(operationName(1), HOUR);
    const reader = watch(filter);
    await clock.advance(2_000);
    hides = true;
    await clock.advance(120_000);
    // What the list leaves out is read by itself, so progress goes on.
    expect(reader.told().filter(([kind]) => kind === Kind.CHANGED).length).toBeGreaterThan(3);
    hides = false;
    await clock.advance(60_000);
    expect(new Set(reader.told().map(([kind]) => kind))).toEqual(
      new Set([Kind.SNAPSHOT, Kind.SNAPSHOT_END, Kind.CHANGED]),
    );
  },
);

test.each(["", 'metadata.apiMethodName:"Rollback"'])(
  "an operation that ends while the list leaves it out stays, if the filter (%j) has nothing to do with its end",
  async (filter) => {
    let hides = false;
    const { clock, upstream, watch } = bench({ behaviour: { omits: () => hides } });
    upstream.start(operationName(1), 30_000);
    const reader = watch(filter);
    await clock.advance(5_000);
    hides = true;
    await clock.advance(600_000);
    expect(reader.messages.filter(({ state }) => state === State.SUCCEEDED)).toHaveLength(1);
    // Nothing can change any more, so it is not read with each pass.
    expect(upstream.requests("get").length).toBeLessThan(30);
    hides = false;
    await clock.advance(60_000);
    expect(reader.told().map(([kind]) => kind)).not.toContain(Kind.GONE);
    expect(reader.told().map(([kind]) => kind)).not.toContain(Kind.ADDED);
  },
);

test("a list that shows an operation running after it was GONE as done is not believed", async () => {
  let lag = 0;
  const { clock, upstream, watch } = bench({ behaviour: { lag: (kind) => (kind === "list" ? lag : 0) } });
  upstream.start(operationName(1), 10_000);
  upstream.start(operationName(2), HOUR);
  const reader = watch("done:false");
  await clock.advance(60_000);
  expect(reader.told().at(-1)).not.toEqual([Kind.ADDED, "1"]);
  lag = 60_000;
  await clock.advance(30_000);
  lag = 0;
  await clock.advance(60_000);
  const about = reader.told().filter(([, id]) => id === "1");
  expect(about.at(-1)?.[0]).toBe(Kind.GONE);
  expect(about.filter(([kind]) => kind === Kind.GONE)).toHaveLength(1);
  expect(about.filter(([kind]) => kind === Kind.ADDED)).toEqual([]);
});

test("what a read did not find comes back only when a read finds it", async () => {
  const missing = { list: false, get: false };
  const { clock, upstream, watch } = bench({
    behaviour: {
      omits: () => missing.list,
      fault: (kind) =>
        kind === "get" && missing.get
          ? { fault: { status: 404, body: '{"error":{"code":404,"status":"NOT_FOUND"}}' } }
          : undefined,
    },
  });
  upstream.start(operationName(1), HOUR);
  const reader = watch();
  await clock.advance(2_000);
  missing.list = true;
  missing.get = true;
  await clock.advance(30_000);
  expect(reader.told().at(-1)).toEqual([Kind.GONE, "1"]);
  missing.list = false;
  await clock.advance(60_000);
  expect(reader.told().at(-1)).toEqual([Kind.GONE, "1"]);
  missing.get = false;
  await clock.advance(60_000);
  const about = reader.told().map(([kind]) => kind);
  expect(about.filter((kind) => kind === Kind.GONE)).toHaveLength(1);
  expect(about.filter((kind) => kind === Kind.ADDED)).toHaveLength(1);
});

test("whatever lists leave out and however they lag, an operation that ends is GONE once, and never comes back", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const lags = random.between(0, 40_000);
    const omits = random.chance(0.5) ? 0.4 : 0;
    const { clock, upstream, watch } = bench({
      seed,
      behaviour: {
        lag: (kind) => (kind === "list" && random.chance(0.5) ? lags : 0),
        omits: () => random.chance(omits),
        latency: () => random.between(5, 500),
      },
    });
    for (let id = 1; id <= 5; id++)
      upstream.start(operationName(id), id <= 3 ? random.between(1_000, 60_000) : HOUR);
    const reader = watch("done:false");
    await clock.advance(400_000);
    for (let id = 1; id <= 5; id++) {
      const about = reader.messages.filter(({ name }) => name === operationName(id));
      const gone = about.findIndex(({ kind }) => kind === Kind.GONE);
      const times = about.map(({ readTime }) => Number(readTime!.seconds) * 1e9 + readTime!.nanos);
      expect(times, `seed ${seed}`).toEqual([...times].sort((a, b) => a - b));
      expect(gone, `seed ${seed}, operation ${id}`).toBe(id <= 3 ? about.length - 1 : -1);
      if (id <= 3) expect(about.at(-1)?.state, `seed ${seed}`).toBe(State.SUCCEEDED);
    }
  }
});

test("an operation that the list forgets for a while and that ends meanwhile is still told to end", async () => {
  let hides = false;
  const { clock, upstream, watch } = bench({ behaviour: { omits: () => hides } });
  upstream.start(operationName(1), 30_000);
  const reader = watch();
  await clock.advance(5_000);
  hides = true;
  await clock.advance(90_000);
  expect(reader.messages.at(-1)).toBeDefined();
  expect(reader.messages.filter(({ state }) => state === State.SUCCEEDED)).toHaveLength(1);
});

test("a slow reader gets each operation once, as it is when he reads again", async () => {
  const { clock, upstream, watch } = bench();
  for (let id = 0; id < 10; id++) upstream.start(operationName(id), 1_000_000);
  const reader = watch();
  await clock.advance(1_000);
  reader.block();
  const before = reader.messages.length;
  await clock.advance(25_000);
  reader.unblock();
  expect(reader.messages.length - before).toBeLessThanOrEqual(11);
});

test("over the stated number of operations the stream ends with RESOURCE_EXHAUSTED", async () => {
  const { clock, upstream, watch } = bench({ behaviour: { pageSize: 500 } });
  for (let id = 0; id <= DEFAULTS.maxCollectionOperations; id++) upstream.start(operationName(id), HOUR);
  const error = await clock.run(watch().end);
  expect(error?.code).toBe(Code.ResourceExhausted);
  expect(error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("COLLECTION_TOO_LARGE");
});

test("a parent that may not be listed ends the stream, a failing upstream does not", async () => {
  const denied = bench({ behaviour: { fault: () => ({ fault: { status: 403 } }) } });
  expect((await denied.clock.run(denied.watch().end))?.code).toBe(Code.PermissionDenied);
  const failing = bench({
    config: { heartbeat: 3_000 },
    behaviour: { fault: () => (failing.clock.monotonic() < 20_000 ? { fault: { status: 503 } } : undefined) },
  });
  failing.upstream.start(operationName(1), HOUR);
  const reader = failing.watch();
  await failing.clock.advance(15_000);
  expect(reader.messages.every(({ kind }) => kind === Kind.HEARTBEAT)).toBe(true);
  expect(reader.messages.length).toBeGreaterThan(3);
  await failing.clock.advance(30_000);
  expect(
    reader
      .told()
      .slice(0, 2)
      .map(([kind]) => kind),
  ).toEqual([Kind.SNAPSHOT, Kind.SNAPSHOT_END]);
});

test("single reads beside the passes are polls, too, and take no call's connection", async () => {
  const { clock, upstream, watch } = bench();
  const get = upstream.get.bind(upstream);
  const polls: boolean[] = [];
  upstream.get = (name, call) => {
    polls.push(call.background !== undefined);
    return get(name, call);
  };
  upstream.start(operationName(1), 10_000);
  watch("done:false");
  await clock.advance(60_000);
  expect(new Set(polls)).toEqual(new Set([true]));
});

test("with the last watcher the passes end", async () => {
  const { clock, upstream, watch, engine } = bench();
  upstream.start(operationName(1), HOUR);
  const readers = [watch(), watch()];
  await clock.advance(10_000);
  for (const reader of readers) reader.leave();
  const before = upstream.requests().length;
  await clock.advance(HOUR);
  expect(upstream.requests()).toHaveLength(before);
  expect(engine.stats).toMatchObject({ collections: 0, operations: 0, watches: 0 });
  expect(clock.pending).toBe(0);
});
