import { expect, test } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { seededRandom } from "../../src/emulator/random.ts";
import { manualClock } from "./manual-clock.ts";

const DATASET = "projects/demo/locations/us-central1/datasets/demo";
const MINUTE = 60_000;

interface Operation {
  name: string;
  done?: boolean;
  error?: { code: number };
  response?: { "@type": string };
  metadata: {
    "@type": string;
    apiMethodName: string;
    createTime: string;
    endTime?: string;
    cancelRequested?: boolean;
    counter?: { failure?: string; success?: string };
  };
}

async function call(emulator: Emulator, verb: string, path: string) {
  const answer = await emulator.handle({
    verb,
    target: `/v1beta1/${path}`,
    headers: verb === "POST" ? { "content-length": "0" } : {},
    body: new Uint8Array(),
  });
  return { status: answer.status, json: JSON.parse(new TextDecoder().decode(answer.body)) };
}

async function list(emulator: Emulator): Promise<Operation[]> {
  const operations: Operation[] = [];
  let token = "";
  do {
    const { json } = await call(emulator, "GET", `${DATASET}/operations?pageToken=${token}`);
    operations.push(...json.operations);
    token = json.nextPageToken ?? "";
  } while (token);
  return operations;
}

/** What a reader can see of an outcome. */
function outcomeOf(operation: Operation): string {
  if (operation.error) return `error ${operation.error.code}`;
  if (!operation.response) return "nothing";
  if (operation.metadata.counter?.failure) return "success with failures";
  return operation.response["@type"].endsWith("google.protobuf.Empty") ? "empty" : "success";
}

const EVERY_OUTCOME = [
  "success",
  "success with failures",
  "empty",
  "nothing",
  "error 1",
  "error 3",
  "error 7",
  "error 8",
  "error 13",
];

/**
 * Shows the promise by looking into the future: those running now that still run when two minutes have passed were
 * running now with two minutes or more to go.
 */
test.each([1, 2, 3])(
  "shows twelve running operations with two minutes to go, and every outcome, at any instant of six hours (seed %i)",
  async (seed) => {
    const clock = manualClock();
    const emulator = createEmulator({ clock, demo: true, random: seededRandom(seed) });
    const steps = seededRandom(seed + 100);
    const end = clock.now() + 6 * 60 * MINUTE;
    let before: Operation[] = await list(emulator);
    while (clock.now() < end) {
      clock.advance(2 * MINUTE);
      const after = new Map((await list(emulator)).map((operation) => [operation.name, operation]));
      const longEnough = before.filter((operation) => {
        const later = after.get(operation.name);
        return !operation.done && later && !later.done;
      });
      expect(longEnough.length).toBeGreaterThanOrEqual(12);
      // Also the first twelve that a reader of the list finds.
      const first = before.filter((operation) => !operation.done).slice(0, 12);
      expect(longEnough).toEqual(expect.arrayContaining(first));
      expect(new Set(longEnough.map((o) => o.metadata.apiMethodName)).size).toBeGreaterThanOrEqual(8);
      expect(new Set(longEnough.map((o) => o.metadata.createTime)).size).toBe(longEnough.length);
      const done = [...after.values()].filter((operation) => operation.done);
      expect([...new Set(done.map(outcomeOf))].sort()).toEqual(
        expect.arrayContaining([...EVERY_OUTCOME].sort()),
      );
      expect(after.size).toBeLessThan(100);
      clock.advance(Math.floor(steps() * 5 * MINUTE));
      before = await list(emulator);
    }
  },
);

test("replaces cancelled operations at once, and each cancelled one ends with code 1 within one to three seconds", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock, demo: true });
  for (let round = 0; round < 20; round++) {
    const running = (await list(emulator)).filter((o) => !o.done && !o.metadata.cancelRequested);
    expect(running.length).toBeGreaterThanOrEqual(12);
    for (const { name } of running) expect((await call(emulator, "POST", `${name}:cancel`)).status).toBe(200);
    const fresh = (await list(emulator)).filter((o) => !o.done && !o.metadata.cancelRequested);
    expect(fresh.length).toBeGreaterThanOrEqual(12);
    clock.advance(999);
    for (const { name } of running) expect(emulator.operation(name)?.["done"]).toBeUndefined();
    clock.advance(2001);
    for (const { name } of running) {
      const operation = (await call(emulator, "GET", name)).json as Operation;
      expect(operation).toMatchObject({
        done: true,
        error: { code: 1 },
        metadata: { cancelRequested: true },
      });
      expect(operation.response).toBeUndefined();
    }
  }
});

test("keeps a finished operation for those who wait for it, and the number of operations bounded, under thousands of cancels", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock, demo: true });
  let last = "";
  for (let count = 0; count < 3_000; count++) {
    const { json } = await call(emulator, "GET", `${DATASET}/operations?pageSize=1`);
    last = json.operations[0].name;
    await call(emulator, "POST", `${last}:cancel`);
    clock.advance(3_000);
  }
  expect((await call(emulator, "GET", last)).json.done).toBe(true);
  expect((await list(emulator)).length).toBeLessThan(2_200);
  clock.advance(24 * 60 * MINUTE);
  const durations = (await list(emulator))
    .filter((operation) => operation.done && !operation.metadata.cancelRequested)
    .map(({ metadata }) => Date.parse(metadata.endTime ?? "") - Date.parse(metadata.createTime));
  expect(Math.max(...durations)).toBeLessThanOrEqual(60 * MINUTE);
});

test("goes on when its operations are finished or removed from outside", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock, demo: true });
  for (let round = 0; round < 5; round++) {
    for (const { name, done } of await list(emulator)) {
      if (!done && round % 2 === 0) emulator.finishOperation(name, "empty");
      if (!done && round % 2 === 1) emulator.removeOperation(name);
    }
    const running = (await list(emulator)).filter((operation) => !operation.done);
    clock.advance(2 * MINUTE);
    expect(running.filter(({ name }) => !emulator.operation(name)?.["done"]).length).toBeGreaterThanOrEqual(
      12,
    );
  }
});

test("is populated after a month of sleep", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock, demo: true });
  clock.advance(29 * 24 * 60 * MINUTE);
  expect((await list(emulator)).filter((o) => !o.done).length).toBeGreaterThanOrEqual(12);
  clock.advance(400 * 24 * 60 * MINUTE);
  expect((await list(emulator)).filter((o) => !o.done).length).toBeGreaterThanOrEqual(12);
});
