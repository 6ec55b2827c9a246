import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { RpcUpstreamCall } from "../../../src/operations/rpc-upstream-call.ts";
import type { BackgroundRequest } from "../../../src/upstream/background.ts";
import { waitForOperation } from "../../../src/waiting/deliver/wait-for-operation.ts";
import { plainCancel } from "../../support/cancelled.ts";
import { EngineBench, operationName } from "../../support/engine-bench.ts";

const NAME = operationName(1);

/** Lets polls wait for a connection, as they do while calls use them all, until they are let go. */
function withoutConnections({ upstream }: EngineBench) {
  const get = upstream.get.bind(upstream);
  const waiting = new Map<BackgroundRequest, () => void>();
  upstream.get = (name, call) => {
    const { background } = call;
    if (!background) return get(name, call);
    background.waits = true;
    return new Promise((resolve, reject) => {
      call.onEnd({
        callEnded(why) {
          waiting.delete(background);
          reject(why);
        },
      });
      waiting.set(background, () => {
        background.waits = false;
        get(name, call).then(resolve, reject);
      });
    });
  };
  return {
    /** Polls that wait. */
    get size() {
      return waiting.size;
    },
    letGo() {
      for (const go of waiting.values()) go();
      waiting.clear();
    },
  };
}

/** Somebody has waited for a second for an operation that is done by then, and his poll still has no connection. */
async function waitWithoutConnections() {
  const bench = new EngineBench();
  const polls = withoutConnections(bench);
  bench.upstream.start(NAME, 700);
  const waited = waitForOperation(bench.engine, NAME, undefined, bench.call());
  await bench.clock.advance(1_000);
  const { clock, engine, upstream, call, upstreamCall } = bench;
  return { clock, engine, upstream, call, upstreamCall, polls, waited };
}

test("five hundred identical reads at once are one read", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench();
  upstream.start(NAME, 60_000);
  const answers = await clock.run(
    Promise.all(Array.from({ length: 500 }, () => engine.get(NAME, upstreamCall()))),
  );
  // The first one went at once; those who came after it was sent share the next.
  expect(upstream.requests()).toHaveLength(2);
  expect(new Set(answers.slice(1)).size).toBe(1);
});

test("a call joins only a read that was sent after it arrived", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench({ behaviour: { latency: () => 100 } });
  upstream.start(NAME, 1_040);
  await clock.advance(1_000);
  const early = engine.get(NAME, upstreamCall());
  await clock.advance(60);
  // The read under way has seen the operation running at 1,050; it is done now, and whoever asks now must know.
  const late = engine.get(NAME, upstreamCall());
  await clock.advance(1_000);
  expect((await early).toMessage().done).toBe(true);
  expect((await late).toMessage().done).toBe(true);
  upstream.start(NAME, 2_000);
});

test("nobody reads his own past: after a cancel the next read is a new one", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench({
    behaviour: { latency: (kind) => (kind === "get" ? 200 : 10) },
  });
  upstream.start(NAME, 60_000);
  const before = engine.get(NAME, upstreamCall());
  await clock.advance(110);
  await clock.run(plainCancel(engine, NAME, upstreamCall()));
  const after = engine.get(NAME, upstreamCall());
  await clock.advance(1_000);
  const requested = async (answer: typeof before) =>
    Buffer.from((await answer).toJson()).includes("cancelRequested");
  expect(await requested(before)).toBe(false);
  expect(await requested(after)).toBe(true);
});

test("callers cost one read for each round trip", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench({ behaviour: { latency: () => 100 } });
  upstream.start(NAME, 60_000);
  let answered = 0;
  for (let at = 0; at < 1_000; at += 1)
    clock.setTimer(at, () => engine.get(NAME, upstreamCall()).then(() => answered++));
  await clock.advance(2_000);
  expect(answered).toBe(1_000);
  expect(upstream.requests().length).toBeLessThanOrEqual(11);
});

test("rights are never mixed: another token costs another read and gets its own answer", async () => {
  const allows = (authorization: string | undefined) => authorization === "Bearer mine";
  const { clock, engine, upstream, upstreamCall } = new EngineBench({ behaviour: { allows } });
  upstream.start(NAME, 0);
  await clock.advance(1_000);
  const [mine, his] = await clock.run(
    Promise.allSettled([
      engine.get(NAME, upstreamCall({ token: "mine" })),
      engine.get(NAME, upstreamCall({ token: "his" })),
    ]),
  );
  expect(mine.status).toBe("fulfilled");
  expect(his).toMatchObject({ status: "rejected", reason: { code: Code.PermissionDenied } });
  // What was cached for the one is not there for the other.
  await expect(clock.run(engine.get(NAME, upstreamCall({ token: "his" })))).rejects.toMatchObject({
    code: Code.PermissionDenied,
  });
  expect(upstream.requests()).toHaveLength(3);
});

test("with the gateway's own credentials all callers share", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench({ credentials: "adc" });
  upstream.start(NAME, 60_000);
  const waits = ["a", "b", "c"].map((token) => engine.get(NAME, upstreamCall({ token })));
  await clock.run(Promise.all(waits));
  expect(upstream.requests()).toHaveLength(2);
});

test("a finished operation costs nothing until it expires, and then a deleted one is noticed", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench();
  const operation = upstream.start(NAME, 0);
  await clock.advance(10);
  for (let n = 0; n < 10; n++) await clock.run(engine.get(NAME, upstreamCall()));
  expect(upstream.requests()).toHaveLength(1);
  operation.deletedAt = clock.monotonic();
  await clock.advance(61_000);
  await expect(clock.run(engine.get(NAME, upstreamCall()))).rejects.toMatchObject({ code: Code.NotFound });
});

test("what is finished is kept no longer than the re-authorisation interval", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench({
    config: { reauthorizeInterval: 5_000 },
  });
  upstream.start(NAME, 0);
  await clock.advance(10);
  await clock.run(engine.get(NAME, upstreamCall()));
  await clock.advance(5_000);
  await clock.run(engine.get(NAME, upstreamCall()));
  expect(upstream.requests()).toHaveLength(2);
});

test("a caller may allow staleness, and then gets what was read a while ago", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench();
  upstream.start(NAME, 600_000);
  await clock.run(engine.get(NAME, upstreamCall(), 5_000));
  await clock.advance(4_000);
  await clock.run(engine.get(NAME, upstreamCall(), 5_000));
  expect(upstream.requests(), "four seconds are less than five").toHaveLength(1);
  await clock.run(engine.get(NAME, upstreamCall()));
  expect(upstream.requests(), "who allows none gets a new read").toHaveLength(2);
  await clock.run(engine.get(NAME, upstreamCall(), 1_000));
  expect(upstream.requests(), "his last read was made without leave to keep it").toHaveLength(3);
});

test("what a poll has read serves callers who allow staleness", async () => {
  const { clock, engine, upstream, call, upstreamCall } = new EngineBench();
  upstream.start(NAME, 600_000);
  const gone = call();
  waitForOperation(engine, NAME, undefined, gone).catch(() => {});
  await clock.advance(30_000);
  const before = upstream.requests().length;
  await clock.run(engine.get(NAME, upstreamCall(), 20_000));
  expect(upstream.requests()).toHaveLength(before);
  gone.end();
});

test("whatever staleness a caller allows, his right is not older than waiting.reauthorize_interval", async () => {
  const { clock, engine, upstream, call, upstreamCall } = new EngineBench({
    config: { reauthorizeInterval: 2_000 },
  });
  const behaviour = { allows: () => true };
  upstream.behaviour = behaviour;
  upstream.start(NAME, 600_000, "response", 600_000);
  const waiting = call();
  waitForOperation(engine, NAME, undefined, waiting).catch(() => {});
  await clock.advance(1_000);
  behaviour.allows = () => false;
  await clock.run(engine.get(NAME, upstreamCall(), 60_000));
  await clock.advance(2_000);
  const answer = engine.get(NAME, upstreamCall(), 60_000);
  await expect(clock.run(answer)).rejects.toMatchObject({ code: Code.PermissionDenied });
});

test("callers who leave before they are answered keep nobody waiting who waits for the same operation", async () => {
  const { clock, engine, upstream, call, upstreamCall } = new EngineBench({
    behaviour: { latency: () => 300 },
  });
  upstream.start(NAME, 600_000);
  // One is always in flight, and each is given up.
  const impatient = async () => {
    for (let n = 0; n < 200; n++) {
      engine.get(NAME, upstreamCall({ timeoutMs: 150 })).catch(() => {});
      await clock.sleep(100);
    }
  };
  impatient();
  await clock.advance(50);
  const operation = await clock.run(waitForOperation(engine, NAME, 5_000, call()));
  expect(operation.toMessage().name).toBe(NAME);
});

test("a caller who leaves takes his read along, unless somebody shares it", async () => {
  const { clock, engine, upstream, call } = new EngineBench({ behaviour: { latency: () => 1_000 } });
  upstream.start(NAME, 60_000);
  const [first, second, third] = [call(), call(), call()];
  const answers = [first, second, third].map((one) =>
    engine.get(NAME, new RpcUpstreamCall(one)).then(
      () => "answered",
      (error) => ConnectError.from(error).code,
    ),
  );
  await clock.advance(100);
  first.end();
  await clock.advance(0);
  // The read that the first alone had begun is given up, and the next one is sent for the others at once.
  expect(upstream.requests()).toHaveLength(2);
  second.end();
  await clock.advance(2_000);
  expect(await Promise.all(answers)).toEqual([Code.Canceled, Code.Canceled, "answered"]);
  expect(engine.stats.reads).toBe(0);
  expect([first, second, third].map((one) => one.listening)).toEqual([0, 0, 0]);
});

test("a read for a caller goes before polls that are due, and during a pause", async () => {
  const { clock, engine, upstream, call, upstreamCall } = new EngineBench({
    config: { readsPerSecond: 1 },
    behaviour: { refuses: () => (upstream.log.length === 5 ? 30_000 : undefined) },
  });
  for (let n = 0; n < 60; n++) {
    upstream.start(operationName(n, n), 600_000);
    waitForOperation(engine, operationName(n, n), undefined, call()).catch(() => {});
  }
  await clock.advance(3_000);
  let began = clock.monotonic();
  await clock.run(engine.get(operationName(59, 59), upstreamCall()));
  expect(clock.monotonic() - began).toBeLessThan(2_500);
  await clock.advance(3_000);
  const polls = upstream.requests().length;
  began = clock.monotonic();
  await clock.run(engine.get(operationName(58, 58), upstreamCall()));
  expect(clock.monotonic() - began).toBeLessThan(100);
  expect(upstream.requests()).toHaveLength(polls + 1);
});

test("what waits for its turn can be taken back, and is then never sent", async () => {
  const { clock, engine, upstream, call } = new EngineBench({ config: { readsPerSecond: 1 } });
  const calls = Array.from({ length: 3 }, () => call());
  const codes = calls.map((one, n) =>
    engine.get(operationName(n), new RpcUpstreamCall(one)).catch((error) => ConnectError.from(error).code),
  );
  calls[1]!.end();
  calls[2]!.end();
  await clock.advance(10_000);
  expect(await Promise.all(codes)).toEqual([Code.NotFound, Code.Canceled, Code.Canceled]);
  expect(upstream.requests()).toHaveLength(1);
});

test("who comes while a read is under way that finds the operation done is told so by that read", async () => {
  const { clock, engine, upstream, upstreamCall } = new EngineBench({ behaviour: { latency: () => 100 } });
  upstream.start(NAME, 10);
  await clock.advance(20);
  const early = engine.get(NAME, upstreamCall());
  await clock.advance(90);
  const late = engine.get(NAME, upstreamCall());
  await clock.advance(1_000);
  expect((await early).toMessage().done).toBe(true);
  expect(await late).toBe(await early);
  expect(upstream.requests()).toHaveLength(1);
});

test("who comes while a poll waits for a connection does not wait for it: the read is his, and the poll's as well", async () => {
  const { clock, engine, upstream, upstreamCall, polls, waited } = await waitWithoutConnections();
  expect(polls.size).toBe(1);
  const answers = [1, 2, 3].map(() => engine.get(NAME, upstreamCall()));
  await clock.advance(20);
  expect((await answers[0]!).toMessage().done).toBe(true);
  expect(await Promise.all(answers), "all were told by one read").toEqual(Array(3).fill(await answers[0]));
  expect(await waited).toBe(await answers[0]);
  expect(upstream.requests()).toHaveLength(1);
  expect(polls.size).toBe(0);
  expect(engine.stats.reads).toBe(0);
});

test("a poll that has its connection is awaited, since the read of who comes is the next", async () => {
  const bench = new EngineBench({ behaviour: { latency: () => 100 } });
  const { clock, engine, upstream, call, upstreamCall } = bench;
  const polls = withoutConnections(bench);
  upstream.start(NAME, 60_000);
  const gone = call();
  waitForOperation(engine, NAME, undefined, gone).catch(() => {});
  await clock.advance(10);
  polls.letGo();
  const answer = engine.get(NAME, upstreamCall());
  await clock.advance(200);
  expect((await answer).toMessage().done).toBe(false);
  expect(upstream.requests().map(({ at }) => at)).toEqual([10, 110]);
  gone.end();
});

test("a read that was a poll's first is done although the caller leaves, for those who wait", async () => {
  const { clock, engine, upstream, call, upstreamCall, polls, waited } = await waitWithoutConnections();
  const caller = call();
  const answer = engine
    .get(NAME, new RpcUpstreamCall(caller))
    .catch((error) => ConnectError.from(error).code);
  await clock.advance(5);
  caller.end();
  expect(await answer).toBe(Code.Canceled);
  expect((await clock.run(waited, 1_000)).toMessage().done).toBe(true);
  expect(upstream.requests()).toHaveLength(1);
  expect(polls.size).toBe(0);
  await clock.run(engine.get(NAME, upstreamCall()));
  expect(engine.stats.reads).toBe(0);
});

test("the time of a read that was a poll's first is when it was sent for the caller", async () => {
  const bench = new EngineBench();
  const { clock, engine, upstream, call, upstreamCall } = bench;
  withoutConnections(bench);
  upstream.start(NAME, 60_000);
  const gone = call();
  waitForOperation(engine, NAME, undefined, gone).catch(() => {});
  await clock.advance(4_000);
  await clock.run(engine.get(NAME, upstreamCall(), 5_000));
  await clock.advance(4_000);
  await clock.run(engine.get(NAME, upstreamCall(), 5_000), 1_000);
  expect(upstream.requests(), "it is four seconds old, not eight").toHaveLength(1);
  gone.end();
});
