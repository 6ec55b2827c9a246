import { expect, test } from "vitest";
import { RecentCancels } from "../../../src/waiting/schedule/recent-cancels.ts";
import { MAX_INTERVAL_MS } from "../../../src/waiting/schedule/schedule.ts";

const START = 1_000;
const NAME = "projects/p/locations/l/datasets/d/operations";

test("remembers the last cancel of an operation for as long as it shortens an interval", () => {
  const cancels = new RecentCancels();
  cancels.add("a", START);
  cancels.add("a", START + 5);
  for (let after = 10; after <= 3 * MAX_INTERVAL_MS; after += 10_000) cancels.add("b", START + after);
  expect(cancels.at("a", START + 3 * MAX_INTERVAL_MS)).toBe(START + 5);
  expect(cancels.at("a", START + 5 + 3 * MAX_INTERVAL_MS)).toBe(START + 5);
  expect(cancels.at("c", START + 5)).toBeUndefined();
});

test("forgets a cancel that is long past", () => {
  const cancels = new RecentCancels();
  cancels.add("a", START);
  expect(cancels.at("a", START + 3 * MAX_INTERVAL_MS + 1)).toBeUndefined();
});

test("knows nearly all of the latest thousands of cancels, whatever came before, and takes no other name for one", () => {
  const cancels = new RecentCancels();
  for (let i = 0; i < 100_000; i++) cancels.add(`${NAME}/${i}`, START + i / 100);
  const now = START + 1_000;
  const latest = Array.from({ length: 4_000 }, (_, n) => cancels.at(`${NAME}/${99_999 - n}`, now));
  expect(latest.filter((at) => at !== undefined).length).toBeGreaterThan(3_900);
  expect(latest[0]).toBe(START + 999.99);
  const strangers = Array.from({ length: 4_000 }, (_, n) => cancels.at(`${NAME}/never-${n}`, now));
  expect(strangers.filter((at) => at !== undefined).length).toBeLessThan(40);
});
