import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import {
  WatchOperationResponse_Kind as Kind,
  State,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { waitForOperation } from "../../../src/waiting/deliver/wait-for-operation.ts";
import { type BenchOptions, EngineBench, operationName } from "../../support/engine-bench.ts";
import { StreamReader } from "../../support/stream-reader.ts";

const NAME = operationName(1);
const HOUR = 3_600_000;

function bench(options: BenchOptions = {}) {
  const made = new EngineBench(options);
  const watch = (token?: string) =>
    new StreamReader(made.engine.watchOperation(NAME, made.call(token ? { token } : {})));
  return Object.assign(made, { watch });
}

function ms(time: { seconds: bigint; nanos: number } | undefined): number {
  return time ? Number(time.seconds) * 1_000 + time.nanos / 1e6 : Number.NaN;
}

test("the first state comes with the first read, each change follows, the terminal one ends the stream with OK", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(NAME, 10_000);
  const reader = watch();
  await clock.advance(20);
  expect(reader.messages).toHaveLength(1);
  expect(reader.messages[0]).toMatchObject({
    kind: Kind.STATE,
    state: State.RUNNING,
    operation: { name: NAME },
  });
  await clock.advance(30_000);
  const states = reader.messages.map(({ state }) => state);
  expect(states.at(-1)).toBe(State.SUCCEEDED);
  expect(states.filter((state) => state === State.SUCCEEDED)).toHaveLength(1);
  expect(reader).toMatchObject({ ended: true, error: undefined });
});

test("a newcomer gets the last read at once while it is not older than the interval, and costs none", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(NAME, HOUR, "response", HOUR);
  watch();
  await clock.advance(10_000);
  const before = upstream.requests().length;
  const late = watch();
  expect(late.messages).toHaveLength(1);
  await clock.advance(100);
  expect(upstream.requests()).toHaveLength(before);
});

test("a newcomer gets a fresh read when the last one is older than the interval", async () => {
  const { clock, upstream, watch } = bench({
    behaviour: {
      fault: (_kind, _name, nth) => (nth > 1 && clock.monotonic() < 50_000 ? { fault: "reset" } : undefined),
    },
  });
  upstream.start(NAME, HOUR, "response", HOUR);
  watch();
  await clock.advance(45_000);
  const readTime = clock.now();
  const late = watch();
  expect(late.messages).toEqual([]);
  await clock.advance(30_000);
  const state = late.messages.find(({ kind }) => kind === Kind.STATE);
  expect(ms(state?.readTime)).toBeGreaterThanOrEqual(readTime);
});

test("a state says how far the work is, when it was read and when the next read is due", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(NAME, 100_000);
  const reader = watch();
  await clock.advance(15_000);
  const [first, second] = reader.messages.filter(({ kind }) => kind === Kind.STATE);
  expect(ms(first?.readTime)).toBe(clock.wallStart);
  expect(ms(first?.nextReadTime)).toBe(clock.wallStart + 1_000);
  expect(first?.progress?.fraction).toBeCloseTo(0, 2);
  expect(first?.progress?.rate).toBeUndefined();
  expect(second?.progress?.rate).toBeCloseTo(10, 0);
  const last = reader.messages.findLast(({ kind }) => kind === Kind.STATE);
  expect(Number(last?.progress?.pending) + Number(last?.progress?.success)).toBe(1_000);
});

test("counters that go back are told as they were read, without a rate", async () => {
  let off = 0;
  const { clock, upstream, watch } = bench({ behaviour: { countersOff: () => off } });
  upstream.start(NAME, 1_000_000);
  const reader = watch();
  await clock.advance(20_000);
  off = -500;
  await clock.advance(20_000);
  const back = reader.messages.filter(({ kind }) => kind === Kind.STATE);
  const at = back.findIndex(({ progress }, n) => n > 0 && progress!.success < back[n - 1]!.progress!.success);
  expect(at).toBeGreaterThan(0);
  expect(back[at]!.progress?.rate).toBeUndefined();
});

test("silence is broken by heartbeats, which carry no operation, also before the first read has succeeded", async () => {
  const { clock, upstream, watch } = bench({
    config: { heartbeat: 4_000 },
    behaviour: { fault: () => (clock.monotonic() < 15_000 ? { fault: { status: 503 } } : undefined) },
  });
  upstream.start(NAME, 2 * HOUR, "response", 1_000_000 * HOUR);
  const reader = watch();
  await clock.advance(12_500);
  expect(reader.messages.map(({ kind }) => kind)).toEqual([Kind.HEARTBEAT, Kind.HEARTBEAT, Kind.HEARTBEAT]);
  expect(reader.messages[0]?.operation).toBeUndefined();
  expect(reader.messages[0]?.readTime).toBeUndefined();
  expect(reader.messages[0]?.state).toBe(State.STATE_UNSPECIFIED);
  await clock.advance(27_500);
  const state = reader.messages.findIndex(({ kind }) => kind === Kind.STATE);
  const beat = reader.messages.slice(state + 1).find(({ kind }) => kind === Kind.HEARTBEAT);
  expect(ms(beat?.readTime)).toBeGreaterThanOrEqual(ms(reader.messages[state]?.readTime));
  expect(beat?.nextReadTime).toBeDefined();
});

test("a heartbeat comes only when nothing else has come for so long", async () => {
  const { clock, upstream, watch } = bench({ config: { heartbeat: 10_000 } });
  upstream.start(NAME, 20_000);
  const reader = watch();
  await clock.advance(20_000);
  expect(reader.messages.filter(({ kind }) => kind === Kind.HEARTBEAT)).toEqual([]);
});

test("a stream ends at its age with UNAVAILABLE and RetryInfo, and goes on where it was when it is attached again", async () => {
  const { clock, upstream, watch } = bench({ config: { maxStreamAge: 60_000 } });
  upstream.start(NAME, 100_000);
  const ends: number[] = [];
  for (let n = 0; n < 20; n++) watch().end.then(() => ends.push(clock.monotonic()));
  const reader = watch();
  const error = (await clock.run(reader.end))!;
  expect(error.code).toBe(Code.Unavailable);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("STREAM_EXPIRED");
  expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
  await clock.advance(10_000);
  expect(Math.min(...ends)).toBeGreaterThanOrEqual(54_000);
  expect(Math.max(...ends)).toBeLessThanOrEqual(60_000);
  expect(new Set(ends).size, "they do not end together").toBeGreaterThan(10);
  const again = watch();
  await clock.advance(60_000);
  expect(again.messages.at(-1)?.state).toBe(State.SUCCEEDED);
});

test("a slow reader gets the latest state when he reads again, and no queue", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(NAME, 1_000_000);
  const reader = watch();
  await clock.advance(5_000);
  const before = reader.messages.length;
  reader.block();
  await clock.advance(25_000);
  reader.unblock();
  expect(reader.messages).toHaveLength(before + 1);
  expect(Number(reader.messages.at(-1)?.progress?.success)).toBeGreaterThan(10);
});

test("a reader who takes nothing for thirty seconds is cut with RESOURCE_EXHAUSTED, and nobody else is", async () => {
  const { clock, upstream, watch, engine } = bench();
  upstream.start(NAME, 70_000);
  const [slow, quick] = [watch(), watch()];
  await clock.advance(5_000);
  slow.block();
  await clock.advance(37_000);
  expect(engine.stats.watches).toBe(1);
  slow.unblock();
  expect(slow.error).toMatchObject({ code: Code.ResourceExhausted });
  expect(slow.error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("SLOW_READER");
  await clock.advance(60_000);
  expect(quick.messages.at(-1)?.state).toBe(State.SUCCEEDED);
});

test("a finished operation is told at once and from memory", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(NAME, 1);
  const first = watch();
  await clock.run(first.end);
  const reads = upstream.requests().length;
  const again = watch();
  expect(again.messages.map(({ state }) => state)).toEqual([State.SUCCEEDED]);
  expect(again.ended).toBe(true);
  expect(upstream.requests()).toHaveLength(reads);
});

test.each([
  [{ status: 404, body: '{"error":{"code":404,"status":"NOT_FOUND"}}' }, Code.NotFound],
  [{ status: 403, body: '{"error":{"code":403,"status":"PERMISSION_DENIED"}}' }, Code.PermissionDenied],
])("%j ends the stream with its status", async (fault, code) => {
  const { clock, watch } = bench({ behaviour: { fault: () => ({ fault }) } });
  const error = await clock.run(watch().end);
  expect(error?.code).toBe(code);
});

test("a read_time never goes back, even when a wall clock does", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(NAME, 60_000);
  const reader = watch();
  await clock.advance(10_000);
  clock.wallStart -= HOUR;
  await clock.advance(80_000);
  const times = reader.messages.flatMap(({ readTime }) => (readTime ? [ms(readTime)] : []));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(reader.messages.at(-1)?.state).toBe(State.SUCCEEDED);
});

test("with the last watcher the polling ends, and no timer is left", async () => {
  const { clock, upstream, watch, engine } = bench();
  upstream.start(NAME, HOUR);
  const readers = [watch(), watch(), watch()];
  await clock.advance(10_000);
  for (const reader of readers) reader.leave();
  const before = upstream.requests().length;
  await clock.advance(HOUR);
  expect(upstream.requests()).toHaveLength(before);
  expect(clock.pending).toBe(0);
  expect(engine.stats).toMatchObject({ watches: 0, operations: 0, reads: 0 });
});

test("a drain ends streams with UNAVAILABLE and RetryInfo, answers waits with what is known, and lets nobody in", async () => {
  const { clock, upstream, watch, engine, call } = bench();
  upstream.start(NAME, HOUR);
  const reader = watch();
  const waiting = waitForOperation(engine, NAME, undefined, call());
  await clock.advance(5_000);
  engine.drain();
  expect(reader.error).toMatchObject({ code: Code.Unavailable });
  expect(reader.error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  expect((await waiting).toMessage().done).toBe(false);
  expect(() => watch()).toThrow(ConnectError);
});

test.each([10, -10])(
  "polls go by the age that the operation has by the upstream's clock, the gateway's being %d minutes ahead",
  async (minutes) => {
    const paces = await Promise.all(
      [minutes, 0].map(async (ahead) => {
        const { clock, upstream, watch } = bench({ behaviour: { clockAhead: -ahead * 60_000 } });
        upstream.start(NAME, HOUR, "response", 6_000);
        watch();
        await clock.advance(90_000);
        return upstream.requests("get").map(({ at }) => at);
      }),
    );
    const [skewed = [], right = []] = paces;
    expect(Math.abs(skewed.length - right.length)).toBeLessThanOrEqual(1);
    for (const [n, at] of skewed.slice(1).entries()) {
      const interval = at - skewed[n]!;
      const age = skewed[n]! + 6_000;
      // Within a second of the truth, a third of which shows.
      expect(interval).toBeLessThanOrEqual(Math.min(Math.max((age + 1_000) / 3, 1_000), 20_000) + 100);
      expect(interval).toBeGreaterThanOrEqual(
        Math.min(Math.max((age - 1_000) / 3, 1_000), 20_000) * 0.9 - 100,
      );
    }
  },
);

test("an operation of a watched dataset is polled by the upstream's clock too", async () => {
  const made = new EngineBench({ behaviour: { clockAhead: -600_000 } });
  made.upstream.start(NAME, HOUR);
  new StreamReader(made.engine.watchOperations(NAME.slice(0, NAME.indexOf("/operations")), "", made.call()));
  await made.clock.advance(3_000);
  expect(made.upstream.requests("list").length).toBeGreaterThanOrEqual(3);
});

test("whoever leaves and attaches again in a tight loop costs no more reads than if he had stayed", async () => {
  const { clock, engine, upstream, watch } = bench();
  upstream.start(NAME, HOUR, "response", 30_000);
  let attaches = 0;
  for (const end = 60_000; clock.monotonic() < end; attaches++) {
    const reader = watch();
    await clock.advance(25);
    expect(reader.messages.length).toBeGreaterThanOrEqual(1);
    reader.leave();
    expect(engine.stats).toMatchObject({ operations: 0, watches: 0 });
    await clock.advance(5);
  }
  expect(attaches).toBe(2_000);
  // The interval is ten seconds at first, and twenty from a minute of age on.
  expect(upstream.requests().length).toBeLessThanOrEqual(8);
  const before = upstream.requests().length;
  await clock.advance(HOUR);
  expect(upstream.requests()).toHaveLength(before);
});

test("a state that was read before somebody left is not told to one who comes an interval later", async () => {
  const { clock, upstream, watch } = bench();
  upstream.start(NAME, 8_000, "response", 30_000);
  const first = watch();
  await clock.advance(1_000);
  first.leave();
  await clock.advance(12_000);
  const late = watch();
  await clock.advance(100);
  expect(late.messages.map(({ state }) => state)).toEqual([State.SUCCEEDED]);
});

test("a refusal that asks for no pause is no reason to read sooner than a second later", async () => {
  const fault = { status: 429, headers: { "retry-after": "0" } };
  const { clock, upstream, watch } = bench({
    behaviour: { fault: (_kind, _name, nth) => (nth <= 3 ? { fault } : undefined) },
  });
  upstream.start(NAME, HOUR);
  watch();
  await clock.advance(20_000);
  const reads = upstream.requests("get").map(({ at }) => at);
  for (const [n, at] of reads.slice(1).entries()) expect(at - reads[n]!).toBeGreaterThanOrEqual(1_000);
});
