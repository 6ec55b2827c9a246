import { expect, test } from "vitest";
import { RecentCancels } from "../../../src/waiting/schedule/recent-cancels.ts";
import { MAX_INTERVAL_MS } from "../../../src/waiting/schedule/schedule.ts";

const START = Date.UTC(2026, 10, 24);

test("remembers the last cancel of an operation for as long as it shortens an interval", () => {
  const cancels = new RecentCancels();
  cancels.add("a", START);
  cancels.add("a", START + 5);
  for (let after = 10; after <= 3 * MAX_INTERVAL_MS; after += 10_000) cancels.add("b", START + after);
  expect(cancels.at("a")).toBe(START + 5);
  expect(cancels.at("c")).toBeUndefined();
});

test("forgets a cancel that is long past", () => {
  const cancels = new RecentCancels();
  cancels.add("a", START);
  for (let after = 10_000; after <= 10 * MAX_INTERVAL_MS; after += 10_000) cancels.add("b", START + after);
  expect(cancels.at("a")).toBeUndefined();
});

test("holds the latest ten thousand cancels at least and twenty thousand at most", () => {
  const cancels = new RecentCancels();
  for (let i = 0; i < 100_000; i++) cancels.add(String(i), START);
  const held = Array.from({ length: 100_000 }, (_, i) => cancels.at(String(i)) !== undefined);
  expect(held.slice(-10_000).every(Boolean)).toBe(true);
  expect(held.filter(Boolean).length).toBeLessThanOrEqual(20_000);
});
