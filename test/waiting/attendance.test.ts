import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { State } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Call } from "../../src/rpc/call.ts";
import { cancelAndWait } from "../../src/waiting/cancel/cancel-and-wait.ts";
import { waitForOperation } from "../../src/waiting/deliver/wait-for-operation.ts";
import type { Authorizer, Right } from "../../src/waiting/identity.ts";
import { EngineBench, operationName } from "../support/engine-bench.ts";
import { StreamReader } from "../support/stream-reader.ts";

const NAME = operationName(1);
const PARENT = NAME.replace(/\/operations\/.*/, "");
const HOUR = 3_600_000;

/** A policy of the test: callers by name, whose rights can be taken away. */
class Policy implements Authorizer {
  readonly revoked = new Set<string>();
  readonly asked: [who: string, right: Right][] = [];
  later = false;

  authorize(call: Call, name: string, right: Right): void | Promise<void> {
    const who = call.header("x-who") ?? "";
    this.asked.push([who, right]);
    expect(name).toBe(NAME);
    if (this.later) return Promise.resolve().then(() => this.decide(who));
    this.decide(who);
  }

  private decide(who: string): void {
    if (who === "bug") throw new TypeError("policy is broken");
    if (this.revoked.has(who)) throw new ConnectError(`${who} may not`, Code.PermissionDenied);
  }
}

function bench(policy: Policy) {
  const made = new EngineBench({ credentials: "adc", authorizer: policy });
  const call = (who: string) => made.call({ headers: { "x-who": who } });
  return Object.assign(made, { by: call });
}

test.each([false, true])(
  "a caller without the right is refused when he comes (asynchronous: %s)",
  async (later) => {
    const policy = new Policy();
    policy.later = later;
    policy.revoked.add("eve");
    const { clock, engine, upstream, by } = bench(policy);
    upstream.start(NAME, 60_000);
    await expect(clock.run(waitForOperation(engine, NAME, undefined, by("eve")))).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
    const refused = await clock.run(
      Promise.resolve()
        .then(() => new StreamReader(engine.watchOperation(NAME, by("eve"))).end)
        .catch(ConnectError.from),
    );
    expect(refused).toMatchObject({ code: Code.PermissionDenied });
    expect(upstream.requests()).toEqual([]);
    expect(engine.stats.watches).toBe(0);
  },
);

test.each([false, true])(
  "a revoked caller is cut alone, within the interval (asynchronous: %s)",
  async (later) => {
    const policy = new Policy();
    policy.later = later;
    const { clock, engine, upstream, by } = bench(policy);
    upstream.start(NAME, 300_000);
    const streams = ["ann", "ben"].map((who) => new StreamReader(engine.watchOperation(NAME, by(who))));
    const waits = ["ann", "ben"].map((who) =>
      waitForOperation(engine, NAME, undefined, by(who)).then(
        (answer) => answer.toMessage().done,
        (error) => ConnectError.from(error).code,
      ),
    );
    await clock.advance(70_000);
    policy.revoked.add("ann");
    const revoked = clock.monotonic();
    await clock.run(streams[0]!.end);
    expect(clock.monotonic() - revoked).toBeLessThanOrEqual(60_000);
    expect(streams[0]!.error).toMatchObject({ code: Code.PermissionDenied, rawMessage: "ann may not" });
    expect(await waits[0]).toBe(Code.PermissionDenied);
    await clock.advance(400_000);
    expect(streams[1]!.messages.at(-1)?.state).toBe(State.SUCCEEDED);
    expect(await waits[1]).toBe(true);
  },
);

test("each kind of wait asks for its own right", async () => {
  const policy = new Policy();
  const { clock, engine, upstream, by } = bench(policy);
  upstream.start(NAME, 60_000);
  await clock.run(waitForOperation(engine, NAME, 0, by("a")));
  await clock.run(cancelAndWait(engine, NAME, 0, by("b")));
  new StreamReader(engine.watchOperations(NAME, "", by("c"))).leave();
  new StreamReader(engine.watchOperation(NAME, by("d"))).leave();
  expect(policy.asked).toEqual([
    ["a", "get"],
    ["b", "cancel"],
    ["c", "list"],
    ["d", "get"],
  ]);
});

test("a right that cannot be checked is none", async () => {
  const { clock, engine, upstream, by } = bench(new Policy());
  upstream.start(NAME, 60_000);
  await expect(clock.run(waitForOperation(engine, NAME, 0, by("bug")))).rejects.toMatchObject({
    code: Code.Internal,
    rawMessage: "the right of the caller could not be checked",
  });
});

test("a caller has a bound of his own, and leaves room for others", async () => {
  const { clock, engine, upstream, call } = new EngineBench({ config: { maxWatchesPerCaller: 3 } });
  upstream.start(NAME, 60_000);
  const his = Array.from(
    { length: 3 },
    () => new StreamReader(engine.watchOperation(NAME, call({ token: "his" }))),
  );
  const refusal = (() => {
    try {
      engine.watchOperation(NAME, call({ token: "his" }));
    } catch (error) {
      return ConnectError.from(error);
    }
    return undefined;
  })();
  expect(refusal?.code).toBe(Code.ResourceExhausted);
  expect(refusal?.findDetails(ErrorInfoSchema)[0]?.metadata["limit"]).toBe("waiting.max_watches_per_caller");
  expect(refusal?.findDetails(RetryInfoSchema)).toHaveLength(1);
  new StreamReader(engine.watchOperation(NAME, call({ token: "another" })));
  his[0]!.leave();
  new StreamReader(engine.watchOperation(NAME, call({ token: "his" })));
  await clock.advance(100_000);
  expect(engine.stats.watches).toBe(0);
});

test("over waiting.max_operations a new operation is refused, a tracked one is not", async () => {
  const { engine, upstream, call } = new EngineBench({ config: { maxOperations: 2 } });
  for (const id of [1, 2, 3]) upstream.start(operationName(id), 60_000);
  new StreamReader(engine.watchOperation(operationName(1), call()));
  new StreamReader(engine.watchOperation(operationName(2), call()));
  const third = new StreamReader(engine.watchOperation(operationName(3), call()));
  expect(third.error).toMatchObject({ code: Code.ResourceExhausted });
  expect(third.error?.findDetails(ErrorInfoSchema)[0]).toMatchObject({
    reason: "TOO_MANY_OPERATIONS",
    metadata: { limit: "waiting.max_operations" },
  });
  expect(third.error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  expect(new StreamReader(engine.watchOperation(operationName(2), call())).error).toBeUndefined();
});

test("as many operations as waiting.max_operations allows are not too many, those of a collection among them", async () => {
  const { engine, upstream, clock, call } = new EngineBench({ config: { maxOperations: 3 } });
  for (const id of [1, 2]) upstream.start(operationName(id), HOUR);
  upstream.start(operationName(1, "another"), HOUR);
  const collection = new StreamReader(engine.watchOperations(PARENT, "", call()));
  await clock.advance(1_000);
  new StreamReader(engine.watchOperation(operationName(1, "another"), call()));
  await clock.advance(60_000);
  expect(engine.stats.operations).toBe(3);
  expect(collection.ended, "nor does a newcomer send those away who are in").toBe(false);
  upstream.start(operationName(3), HOUR);
  const error = await clock.run(collection.end);
  expect(error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("TOO_MANY_OPERATIONS");
});
