import { expect, test } from "vitest";
import { EngineBench, operationName } from "../../support/engine-bench.ts";
import { StreamReader } from "../../support/stream-reader.ts";

const HOUR = 3_600_000;

test("a pause stops the polls of its project and region, and of no other", async () => {
  const refused = operationName(1, "d", "here");
  const { clock, engine, upstream, call } = new EngineBench({
    behaviour: {
      fault: (_kind, name, nth) =>
        name === refused && nth === 2
          ? { fault: { status: 429, headers: { "retry-after": "40" } } }
          : undefined,
    },
  });
  const names = [refused, operationName(2, "e", "here"), operationName(1, "d", "there")];
  for (const name of names) new StreamReader(engine.watchOperation(upstream.start(name, HOUR).name, call()));
  await clock.advance(60_000);
  const { arrived } = upstream.log.find(({ status }) => status === 429)!;
  const during = upstream.log.filter(({ at }) => at > arrived + 50 && at < arrived + 40_000);
  expect(new Set(during.map(({ name }) => name))).toEqual(new Set([names[2]]));
});

test("where reads are short, each operation gets as many as any other of its age", async () => {
  const { clock, engine, upstream, call } = new EngineBench({ config: { readsPerSecond: 2 } });
  for (let n = 0; n < 60; n++) {
    const { name } = upstream.start(operationName(n, n), HOUR, "response", 600_000);
    // Some have many watchers, and all come at different times.
    for (let watcher = 0; watcher <= (n % 3) * 5; watcher++)
      clock.setTimer(n * 50, () => new StreamReader(engine.watchOperation(name, call())));
  }
  await clock.advance(600_000);
  const counts = [...upstream.operations.keys()].map(
    (name) => upstream.log.filter((request) => request.name === name).length,
  );
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(18);
});

test("young operations, which are due more often, do not starve the old ones", async () => {
  const { clock, engine, upstream, call } = new EngineBench({ config: { readsPerSecond: 2 } });
  const old = upstream.start(operationName("old", "old"), HOUR, "response", HOUR).name;
  new StreamReader(engine.watchOperation(old, call()));
  // Thirty that are always young: cancelled again and again.
  for (let n = 0; n < 30; n++) {
    const { name } = upstream.start(operationName(n, n), HOUR);
    new StreamReader(engine.watchOperation(name, call()));
    for (let at = 0; at < 300_000; at += 2_000)
      clock.setTimer(at, () =>
        engine.tracker.cancelRequested(engine.readTarget(engine.target(name, "Bearer t")).key),
      );
  }
  await clock.advance(300_000);
  const reads = upstream.requests("get").filter(({ name }) => name === old);
  const gaps = reads.slice(1).map(({ at }, n) => at - reads[n]!.at);
  // A round of the others, 15 s, and its own interval.
  expect(Math.max(...gaps)).toBeLessThanOrEqual(20_000 + 16_000);
  expect(reads.length).toBeGreaterThanOrEqual(8);
});
