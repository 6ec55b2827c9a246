import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { CancelOperationRequestSchema } from "../../../gen/google/longrunning/operations_pb.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { CancelAndWaitResponse_Outcome as Outcome } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { createOperationsHandlers } from "../../../src/operations/operations-service.ts";
import { RpcUpstreamCall } from "../../../src/operations/rpc-upstream-call.ts";
import { cancelAndWait } from "../../../src/waiting/cancel/cancel-and-wait.ts";
import { waitForOperation } from "../../../src/waiting/deliver/wait-for-operation.ts";
import { plainCancel } from "../../support/cancelled.ts";
import { type BenchOptions, EngineBench, operationName } from "../../support/engine-bench.ts";
import type { Fault } from "../../support/simulated-upstream.ts";

const NAME = operationName(1);

function bench(options: BenchOptions = {}) {
  const made = new EngineBench(options);
  const handlers = createOperationsHandlers(made.engine);
  const cancel = async (call = made.call()) => {
    const answer = handlers.cancelOperation!(create(CancelOperationRequestSchema, { name: NAME }), call);
    const error = await made.clock.run(
      Promise.resolve(answer).then(
        () => undefined,
        (failure) => ConnectError.from(failure),
      ),
    );
    // Of an error it is metadata of the error itself.
    const outcome =
      call.responseHeader.get("lro-cancel-outcome") ?? error?.metadata.get("lro-cancel-outcome");
    return { error, outcome: outcome ?? undefined };
  };
  const wait = async (timeoutMs?: number) => {
    const answer = await made.clock.run(cancelAndWait(made.engine, NAME, timeoutMs, made.call()));
    return "encoded" in answer ? answer.toMessage() : answer;
  };
  return Object.assign(made, { cancel, wait });
}

const post = (fault: Fault, applied = false, upTo = 1): BenchOptions => ({
  behaviour: {
    fault: (kind, _name, nth) => (kind === "cancel" && nth <= upTo ? { fault, applied } : undefined),
  },
});

test("a cancel that is taken answers Empty and says REQUESTED", async () => {
  const { cancel, upstream } = bench();
  upstream.start(NAME, 60_000);
  expect(await cancel()).toEqual({ error: undefined, outcome: "REQUESTED" });
  expect(upstream.requests()).toHaveLength(1);
});

test("a finished operation stays FAILED_PRECONDITION, an unknown one NOT_FOUND", async () => {
  const { cancel, upstream, clock } = bench();
  expect(await cancel()).toMatchObject({ error: { code: Code.NotFound }, outcome: "NOT_FOUND" });
  upstream.start(NAME, 10);
  await clock.advance(1_000);
  const finished = await cancel();
  expect(finished).toMatchObject({ error: { code: Code.FailedPrecondition }, outcome: "ALREADY_DONE" });
  expect(finished.error?.rawMessage).toBe("Precondition check failed.");
});

test("a finished operation is FAILED_PRECONDITION also when the upstream calls its refusal something else", async () => {
  const { cancel, upstream, clock } = bench(
    post({ status: 400, body: '{"error":{"code":400,"message":"too late"}}' }),
  );
  upstream.start(NAME, 10);
  await clock.advance(1_000);
  expect(await cancel()).toMatchObject({
    error: { code: Code.FailedPrecondition, rawMessage: "too late" },
    outcome: "ALREADY_DONE",
  });
});

test("a refusal of an operation that runs on is the upstream's own status, and no outcome", async () => {
  const { cancel, upstream, wait } = bench(
    post(
      {
        status: 400,
        body: '{"error":{"code":400,"status":"FAILED_PRECONDITION","message":"not in this phase"}}',
      },
      false,
      9,
    ),
  );
  upstream.start(NAME, 600_000);
  expect(await cancel()).toMatchObject({ error: { code: Code.FailedPrecondition }, outcome: undefined });
  await expect(wait()).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    rawMessage: "not in this phase",
  });
});

test.each(["reset", { status: 503 }, { status: 500 }, { status: 504 }] as Fault[])(
  "a cancel whose answer was lost (%j) is resolved by a read before any second POST",
  async (fault) => {
    const { cancel, upstream } = bench(post(fault, true));
    upstream.start(NAME, 60_000);
    expect(await cancel()).toEqual({ error: undefined, outcome: "REQUESTED" });
    expect(upstream.requests().map(({ kind }) => kind)).toEqual(["cancel", "get"]);
  },
);

test("a cancel that was lost on the way is sent again, a second later, once a read has shown that it had no effect", async () => {
  const { cancel, upstream } = bench(post("reset"));
  upstream.start(NAME, 60_000);
  expect(await cancel()).toEqual({ error: undefined, outcome: "REQUESTED" });
  expect(upstream.requests().map(({ kind }) => kind)).toEqual(["cancel", "get", "cancel"]);
  expect(upstream.log[2]!.at - upstream.log[0]!.at).toBeGreaterThanOrEqual(1_000);
});

test("an upstream that never takes it is asked three times, and its own error is the answer", async () => {
  const { cancel, upstream } = bench(post({ status: 503 }, false, 99));
  upstream.start(NAME, 600_000);
  expect(await cancel()).toMatchObject({ error: { code: Code.Unavailable }, outcome: undefined });
  expect(upstream.requests("cancel")).toHaveLength(3);
});

test("an operation that ended after a lost cancel was cancelled in time; the echo of that is no failure", async () => {
  const { cancel, upstream } = bench({
    behaviour: {
      cancelDelay: () => 300,
      lag: () => 400,
      fault: (kind, _name, nth) =>
        kind === "cancel" && nth === 1 ? { fault: { status: 503 }, applied: true } : undefined,
    },
  });
  upstream.start(NAME, 60_000);
  // The read after the POST is stale, so a second POST is sent, which finds the operation done.
  expect(await cancel()).toEqual({ error: undefined, outcome: "CANCELLED" });
  expect(upstream.requests("cancel").map(({ status }) => status)).toEqual([503, 400]);
});

test("cancels that arrive before the first is resolved join it and make one POST", async () => {
  const { clock, engine, upstream, upstreamCall, call } = bench({ ...post("reset", true) });
  upstream.start(NAME, 60_000);
  const plain = Array.from({ length: 50 }, () => plainCancel(engine, NAME, upstreamCall()));
  const waiting = Array.from({ length: 50 }, () => cancelAndWait(engine, NAME, undefined, call()));
  const answers = await clock.run(Promise.all(plain));
  expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(["REQUESTED"]));
  const outcomes = await clock.run(Promise.all(waiting));
  expect(
    new Set(outcomes.map((answer) => ("encoded" in answer ? answer.toMessage() : answer).outcome)),
  ).toEqual(new Set([Outcome.CANCELLED]));
  expect(upstream.requests("cancel")).toHaveLength(1);
});

test("another identity's cancel is another POST", async () => {
  const { clock, engine, upstream, upstreamCall } = bench();
  upstream.start(NAME, 60_000);
  await clock.run(Promise.all(["a", "b"].map((token) => plainCancel(engine, NAME, upstreamCall({ token })))));
  expect(upstream.requests("cancel").map(({ authorization }) => authorization)).toEqual([
    "Bearer a",
    "Bearer b",
  ]);
});

test("the caller's disconnect lets a POST that was sent finish, and sends no second one", async () => {
  const { clock, engine, upstream, call } = bench(post("reset"));
  upstream.start(NAME, 60_000);
  const gone = call();
  const answer = plainCancel(engine, NAME, new RpcUpstreamCall(gone)).catch(
    (error) => ConnectError.from(error).code,
  );
  await clock.advance(5);
  gone.end();
  expect(await answer).toBe(Code.Canceled);
  await clock.advance(60_000);
  expect(upstream.requests().map(({ kind, status }) => `${kind} ${status}`)).toEqual(["cancel 0"]);
  expect(engine.stats).toMatchObject({ cancels: 0, reads: 0 });
});

test.each([-600_000, 0, 600_000])(
  "with an upstream clock %i ms ahead, what ended before a lost cancel was ALREADY_DONE, and what ended after it was not",
  async (clockAhead) => {
    const lost = post("reset");
    for (const { endsIn, outcome } of [
      { endsIn: -5_000, outcome: Outcome.ALREADY_DONE },
      { endsIn: 5, outcome: Outcome.COMPLETED },
    ]) {
      const { wait, upstream, clock } = bench({ behaviour: { ...lost.behaviour, clockAhead } });
      await clock.advance(20_000);
      upstream.start(NAME, endsIn, "response", 10_000);
      expect((await wait()).outcome).toBe(outcome);
      expect(upstream.requests("cancel")).toHaveLength(1);
    }
  },
);

test("without the right CancelAndWait is the status PERMISSION_DENIED", async () => {
  const { wait, upstream } = bench({ behaviour: { allows: () => false } });
  upstream.start(NAME, 60_000);
  await expect(wait()).rejects.toMatchObject({ code: Code.PermissionDenied });
});

test("what is not resolved in time is UNAVAILABLE, never OK", async () => {
  const { wait, upstream, clock } = bench({ behaviour: { fault: () => ({ fault: { status: 503 } }) } });
  upstream.start(NAME, 600_000);
  await expect(wait(20_000)).rejects.toMatchObject({ code: Code.Unavailable });
  expect(clock.monotonic()).toBe(20_000);
});

test("a gateway that shuts down does not say STILL_RUNNING before the time is up: the caller is to ask elsewhere", async () => {
  const { engine, clock, upstream, call } = bench({ behaviour: { cancelDelay: () => 600_000 } });
  upstream.start(NAME, 3_600_000);
  const waiting = cancelAndWait(engine, NAME, 60_000, call()).catch(ConnectError.from);
  await clock.advance(5_000);
  engine.drain();
  const error = await waiting;
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect((error as ConnectError).findDetails(ErrorInfoSchema)[0]?.reason).toBe("GATEWAY_DRAINING");
  expect((error as ConnectError).findDetails(RetryInfoSchema)).toHaveLength(1);
});

test("STILL_RUNNING needs a read that was sent after the cancel was taken", async () => {
  const slow = bench({
    behaviour: { cancelDelay: () => 60_000, latency: (kind) => (kind === "get" ? 500 : 20) },
  });
  slow.upstream.start(NAME, 600_000);
  await expect(slow.wait(300)).rejects.toMatchObject({ code: Code.Unavailable });
  const { outcome, operation } = await slow.wait(5_000);
  expect(outcome).toBe(Outcome.STILL_RUNNING);
  expect(operation?.done).toBe(false);
});

test("with a timeout of zero the cancel is sent and one read decides", async () => {
  const { wait, upstream } = bench();
  upstream.start(NAME, 60_000);
  expect((await wait(0)).outcome).toBe(Outcome.STILL_RUNNING);
  expect(upstream.requests().map(({ kind }) => kind)).toEqual(["cancel", "get"]);
});

test("a cancel makes the operation young: its end is told to those who wait within a second or so", async () => {
  const { clock, engine, upstream, cancel, call } = bench({ behaviour: { cancelDelay: () => 3_000 } });
  const operation = upstream.start(NAME, 7_200_000, "response", 3_600_000);
  const waiting = waitForOperation(engine, NAME, undefined, call());
  await clock.advance(25_000);
  await cancel();
  await clock.run(waiting);
  expect(clock.monotonic() - upstream.endOf(operation)).toBeLessThanOrEqual(1_300);
});

test("a quota that refuses the cancel pauses the polls of its project and region", async () => {
  const { clock, engine, upstream, call, cancel } = bench(
    post({ status: 429, headers: { "retry-after": "30" } }),
  );
  upstream.start(NAME, 600_000, "response", 3_600_000);
  waitForOperation(engine, NAME, undefined, call()).catch(() => {});
  await clock.advance(1_000);
  expect(await cancel()).toMatchObject({ error: { code: Code.ResourceExhausted }, outcome: undefined });
  const at = clock.monotonic();
  await clock.advance(60_000);
  const next = upstream.requests("get").find((read) => read.at > at);
  expect(next!.at - at).toBeGreaterThanOrEqual(30_000);
});

test("a cancel that quotas kept from being sent until the time was up says when to call again", async () => {
  const { upstream, wait } = bench(post({ status: 429, headers: { "retry-after": "600" } }, false, 9));
  upstream.start(NAME, 3_600_000);
  const error = await wait(4_000).then(
    () => undefined,
    (cause) => ConnectError.from(cause),
  );
  expect(error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("CANCEL_UNRESOLVED");
  expect(error?.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(600n);
});
