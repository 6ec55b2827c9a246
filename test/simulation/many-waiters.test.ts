import { expect, test } from "vitest";
import type { Operation } from "../../gen/google/longrunning/operations_pb.ts";
import {
  WatchOperationResponse_Kind as Kind,
  type WatchOperationResponse,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { type Encoded, isEncoded } from "../../src/lib/encoded.ts";
import { waitForOperation } from "../../src/waiting/deliver/wait-for-operation.ts";
import { EngineBench, operationName } from "../support/engine-bench.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { SimulatedUpstream } from "../support/simulated-upstream.ts";
import { StreamReader } from "../support/stream-reader.ts";
import { TestCall } from "../support/test-call.ts";

const NAME = operationName(1);
const WAITERS = 1_000;
const DURATION = 60_000;

/** What is promised to each caller of the gateway, in reads of the upstream for all of them. */
const MOST_READS = 18;

test.each([
  { spread: 0, seed: 1 },
  { spread: 0, seed: 2 },
  { spread: 30_000, seed: 3 },
])(
  `${WAITERS} waiters who come within $spread ms cost the reads of one poller, and all get the same message at once (seed $seed)`,
  async ({ spread, seed }) => {
    const { clock, engine, upstream, call } = new EngineBench({ seed });
    const random = new SeededRandom(seed);
    upstream.start(NAME, DURATION);
    const finals: { operation: Operation; at: number }[] = [];
    for (let n = 0; n < WAITERS; n++)
      clock.setTimer(random.between(0, spread), () => {
        const done = (operation: Operation) => finals.push({ operation, at: clock.monotonic() });
        if (n % 2 === 0)
          waitForOperation(engine, NAME, undefined, call()).then((answer) => done(answer.toMessage()));
        else
          new StreamReader(engine.watchOperation(NAME, call()), (message) => {
            if (message.kind === Kind.STATE && message.operation?.done) done(message.operation);
          });
      });
    await clock.advance(2 * DURATION);

    expect(finals).toHaveLength(WAITERS);
    const first = finals[0]!.operation;
    expect(finals.every(({ operation }) => operation === first)).toBe(true);
    const reads = upstream.requests("get");
    expect(reads.length).toBeLessThanOrEqual(MOST_READS);
    const sawIt = reads.at(-1)!.at;
    const delays = finals.map(({ at }) => at - sawIt).sort((a, b) => a - b);
    const p99 = delays[Math.floor(WAITERS * 0.99)]!;
    expect(p99).toBeLessThanOrEqual(250);
    const pollers = await readsOfPollers(100);
    const ratio = pollers / 100 / (reads.length / WAITERS);
    console.log(
      `${WAITERS} waiters: ${reads.length} reads, p99 ${p99} ms after the read was sent; ` +
        `100 pollers with google-gax' schedule: ${pollers} reads; per caller ${ratio.toFixed(0)} times as many`,
    );
    expect(ratio).toBeGreaterThan(500);
  },
);

/** Reads of clients that poll as google-gax for Node does: at once, then 100 ms times 1.3, to 60 s. */
async function readsOfPollers(count: number): Promise<number> {
  const clock = new SimulatedClock();
  const upstream = new SimulatedUpstream(clock);
  upstream.start(NAME, DURATION);
  const poll = async () => {
    for (let delay = 100; ; delay = Math.min(delay * 1.3, 60_000)) {
      const call = new TestCall();
      const answer = await upstream.get(NAME, Object.assign(call, { authorization: undefined }));
      if (answer.toMessage().done) return;
      await clock.sleep(delay);
    }
  };
  for (let n = 0; n < count; n++) poll();
  await clock.advance(5 * DURATION);
  return upstream.requests().length;
}

test("a change reaches ten thousand watchers in under a second of real time, encoded once for each protocol", async () => {
  const watchers = 10_000;
  const { clock, engine, upstream, call } = new EngineBench();
  upstream.start(NAME, DURATION);
  const readers = Array.from(
    { length: watchers },
    () => new StreamReader(engine.watchOperation(NAME, call())),
  );
  await clock.advance(1_000);
  expect(new Set(readers.map(({ raw }) => raw.length))).toEqual(new Set([readers[0]!.raw.length]));
  const before = readers[0]!.raw.length;
  const arrived = clock.monotonic();

  const began = performance.now();
  while (readers[watchers - 1]!.raw.length === before) await clock.advance(1);
  const took = performance.now() - began;

  const last = readers.map(({ raw }) => raw.at(-1)!);
  expect(last.every(isEncoded)).toBe(true);
  const encoded = last.filter((message) => isEncoded(message)) as Encoded<WatchOperationResponse>[];
  expect(new Set(encoded.map((message) => message.toBinary())).size).toBe(1);
  expect(new Set(encoded.map((message) => message.toJson())).size).toBe(1);
  expect(took).toBeLessThan(1_000);
  console.log(
    `${watchers} watchers: a change in ${took.toFixed(0)} ms, ${clock.monotonic() - arrived} ms of simulated time`,
  );
});
