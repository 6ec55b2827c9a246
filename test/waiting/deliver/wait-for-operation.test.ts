import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { waitForOperation } from "../../../src/waiting/deliver/wait-for-operation.ts";
import { plainCancel } from "../../support/cancelled.ts";
import { type BenchOptions, EngineBench, operationName } from "../../support/engine-bench.ts";
import type { Fault } from "../../support/simulated-upstream.ts";
import type { TestCallOptions } from "../../support/test-call.ts";

const NAME = operationName(1);
const MINUTE = 60_000;

function bench(options: BenchOptions = {}) {
  const made = new EngineBench(options);
  const wait = async (timeoutMs?: number, call: Omit<TestCallOptions, "clock"> & { token?: string } = {}) => {
    const began = made.clock.monotonic();
    const answer = made.clock.run(waitForOperation(made.engine, NAME, timeoutMs, made.call(call)));
    const settled = await answer.then(
      (operation) => ({ operation: operation.toMessage(), error: undefined }),
      (error) => ({ operation: undefined, error: ConnectError.from(error) }),
    );
    return { ...settled, took: made.clock.monotonic() - began };
  };
  return Object.assign(made, { wait });
}

test("answers the final state within an interval of its being readable", async () => {
  const { upstream, wait } = bench();
  upstream.start(NAME, MINUTE);
  const { operation, took } = await wait();
  expect(operation).toMatchObject({ name: NAME, done: true });
  expect(took).toBeGreaterThanOrEqual(MINUTE);
  expect(took).toBeLessThanOrEqual(MINUTE + 20_000 + 300);
});

test("answers the latest state, and no error, when the timeout has passed", async () => {
  const { upstream, wait } = bench();
  upstream.start(NAME, MINUTE);
  const { operation, took } = await wait(10_000);
  expect(operation).toMatchObject({ name: NAME, done: false });
  expect(took).toBe(10_000);
});

test.each([
  { deadline: 5_000, margin: 100 },
  { deadline: 500, margin: 50 },
])(
  "answers $margin ms before a deadline of $deadline ms that is shorter than the timeout",
  async ({ deadline, margin }) => {
    const { upstream, wait } = bench();
    upstream.start(NAME, MINUTE);
    const { operation, took } = await wait(MINUTE, { timeoutMs: deadline });
    expect(operation?.done).toBe(false);
    expect(took).toBe(deadline - margin);
  },
);

test("waits no longer than waiting.max_wait, whatever was asked for", async () => {
  const { upstream, wait } = bench({ config: { maxWait: 7_000 } });
  upstream.start(NAME, MINUTE);
  expect((await wait()).took).toBe(7_000);
  expect((await wait(9_000)).took).toBe(7_000);
});

test("a timeout of zero costs one fresh read and is answered at once", async () => {
  const { upstream, wait } = bench();
  upstream.start(NAME, MINUTE);
  const { operation, took } = await wait(0);
  expect(operation?.done).toBe(false);
  expect(took).toBe(20);
  expect(upstream.requests()).toHaveLength(1);
});

const enders: [what: string, fault: Fault, code: Code][] = [
  ["a JSON 404", { status: 404, body: '{"error":{"code":404,"status":"NOT_FOUND"}}' }, Code.NotFound],
  ["a 410", { status: 410, body: '{"error":{"code":410,"message":"gone"}}' }, Code.NotFound],
  [
    "a 403",
    { status: 403, body: '{"error":{"code":403,"status":"PERMISSION_DENIED"}}' },
    Code.PermissionDenied,
  ],
  [
    "a 400",
    { status: 400, body: '{"error":{"code":400,"status":"INVALID_ARGUMENT"}}' },
    Code.InvalidArgument,
  ],
  [
    "a 401 to the caller's token",
    { status: 401, body: '{"error":{"code":401,"status":"UNAUTHENTICATED"}}' },
    Code.Unauthenticated,
  ],
];

test.each(enders)("%s ends the wait at once", async (_what, fault, code) => {
  const { wait, upstream } = bench({ behaviour: { fault: () => ({ fault }) } });
  upstream.start(NAME, MINUTE);
  const { error, took } = await wait();
  expect(error?.code).toBe(code);
  expect(took).toBe(20);
});

const quota403 = JSON.stringify({
  error: {
    code: 403,
    status: "PERMISSION_DENIED",
    errors: [{ domain: "usageLimits", reason: "rateLimitExceeded" }],
  },
});
const passing: [what: string, fault: Fault][] = [
  ["a 429", { status: 429, headers: { "retry-after": "2" } }],
  ["a 403 that means a quota", { status: 403, body: quota403 }],
  ["a 500", { status: 500, body: '{"error":{"code":500,"status":"INTERNAL"}}' }],
  ["a 502 page", { status: 502, body: "<html>try again in 30 seconds</html>" }],
  ["a 503", { status: 503 }],
  ["a 504", { status: 504 }],
  ["a 404 page", { status: 404, body: "<html>not found</html>" }],
  ["a reset", "reset"],
];

test.each(passing)("%s is retried inside the wait, the first read too", async (_what, fault) => {
  const { wait, upstream } = bench({
    behaviour: { fault: (_kind, _name, nth) => (nth <= 3 ? { fault } : undefined) },
  });
  upstream.start(NAME, 5_000);
  const { operation } = await wait();
  expect(operation?.done).toBe(true);
});

test.each(passing)(
  "%s for ever gives UNAVAILABLE with RetryInfo and the last reason",
  async (_what, fault) => {
    const { wait, upstream } = bench({ behaviour: { fault: () => ({ fault }) } });
    upstream.start(NAME, 5_000);
    const { error, took } = await wait(30_000);
    expect(took).toBe(30_000);
    expect(error?.code).toBe(Code.Unavailable);
    expect(error?.findDetails(ErrorInfoSchema)[0]).toMatchObject({ reason: "NOTHING_READ" });
    expect(error?.findDetails(ErrorInfoSchema)[0]?.metadata["lastReason"]).toBeTruthy();
    expect(error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  },
);

test("a read that hangs is given up, and the next one counts", async () => {
  const { wait, upstream } = bench({
    behaviour: { latency: () => (upstream.log.length === 1 ? 10 * MINUTE : 20) },
  });
  upstream.start(NAME, 5_000);
  const { operation, took } = await wait();
  expect(operation?.done).toBe(true);
  expect(took).toBeLessThan(25_000);
});

test("a wait that found something keeps it when later reads fail", async () => {
  const { wait, upstream } = bench({
    behaviour: { fault: (_kind, _name, nth) => (nth > 1 ? { fault: { status: 503 } } : undefined) },
  });
  upstream.start(NAME, MINUTE);
  const { operation, took } = await wait(30_000);
  expect(operation).toMatchObject({ name: NAME, done: false });
  expect(took).toBe(30_000);
});

test("the operation's own error is its result, not the wait's", async () => {
  const { wait, upstream } = bench();
  upstream.start(NAME, 5_000, "error");
  const { operation } = await wait();
  expect(operation?.result).toMatchObject({ case: "error", value: { code: 13 } });
});

test("done wins for ever: a later read that says running changes nothing", async () => {
  const { clock, engine, upstream, wait, upstreamCall } = bench();
  upstream.start(NAME, 5_000);
  expect((await wait()).operation?.done).toBe(true);
  upstream.behaviour = { lag: () => 10_000 };
  expect((await wait()).operation?.done).toBe(true);
  expect((await clock.run(engine.get(NAME, upstreamCall()))).toMessage().done).toBe(true);
});

test("the caller's end is the end of the wait, and of the reads", async () => {
  const { clock, engine, upstream, call } = bench();
  upstream.start(NAME, 10 * MINUTE);
  const gone = call();
  const answer = waitForOperation(engine, NAME, undefined, gone).catch((error) => error);
  await clock.advance(30_000);
  const before = upstream.requests().length;
  gone.end();
  expect((await answer).code).toBe(Code.Canceled);
  await clock.advance(5 * MINUTE);
  expect(upstream.requests()).toHaveLength(before);
  expect(engine.stats).toMatchObject({ watches: 0, operations: 0, reads: 0 });
  expect(clock.pending).toBe(0);
});

test("over waiting.max_watches a wait is refused with RetryInfo and a reason", async () => {
  const { engine, upstream, call, clock } = bench({ config: { maxWatches: 2 } });
  upstream.start(NAME, 5_000);
  const two = [
    waitForOperation(engine, NAME, undefined, call()),
    waitForOperation(engine, NAME, undefined, call()),
  ];
  const error = await waitForOperation(engine, NAME, undefined, call()).catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.ResourceExhausted });
  expect((error as ConnectError).findDetails(ErrorInfoSchema)[0]).toMatchObject({
    reason: "TOO_MANY_WATCHES",
    metadata: { limit: "waiting.max_watches" },
  });
  expect((error as ConnectError).findDetails(RetryInfoSchema)).toHaveLength(1);
  await clock.run(Promise.all(two));
  expect(engine.stats.watches).toBe(0);
});

test("tells of a cancellation soon, also to those who begin to wait after the cancel has passed through", async () => {
  const { upstream, clock, engine, upstreamCall, wait } = bench();
  upstream.start(NAME, 60 * MINUTE);
  await clock.advance(10 * MINUTE);
  const cancelled = await clock.run(plainCancel(engine, NAME, upstreamCall()));
  expect(cancelled.error).toBeUndefined();
  const { operation, took } = await wait(MINUTE);
  expect(operation).toMatchObject({ done: true, result: { case: "error", value: { code: 1 } } });
  expect(took).toBeLessThanOrEqual(1_500 + 1_300);
});

test("a read of its own is over before its deadline, however patient those are who share it", async () => {
  const { clock, engine, upstream, upstreamCall, wait } = bench({ behaviour: { latency: () => 5_000 } });
  upstream.start(NAME, MINUTE);
  const patient = [engine.get(NAME, upstreamCall()), engine.get(NAME, upstreamCall())];
  const { error, took } = await wait(0, { timeoutMs: 2_000 });
  expect([error?.code, took]).toEqual([Code.Unavailable, 1_900]);
  expect(error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  await clock.run(Promise.all(patient));
});

test.each([undefined, 0])(
  "a right that takes its time to be checked is no reason to miss a deadline (timeout %s)",
  async (timeoutMs) => {
    const made: ReturnType<typeof bench> = bench({
      credentials: "adc",
      authorizer: { authorize: () => made.clock.sleep(10_000) },
    });
    made.upstream.start(NAME, MINUTE);
    const { error, took } = await made.wait(timeoutMs, { timeoutMs: 2_000 });
    expect([error?.code, took]).toEqual([Code.Unavailable, 1_900]);
    expect(made.engine.stats.watches).toBe(0);
  },
);
