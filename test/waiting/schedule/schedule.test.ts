import fc from "fast-check";
import { expect, test } from "vitest";
import { ageOf, backoff, longestInterval, nextInterval } from "../../../src/waiting/schedule/schedule.ts";

test.each([
  [0, 1_000],
  [3_000, 1_000],
  [30_000, 10_000],
  [60_000, 20_000],
  [86_400_000, 20_000],
])("an operation of %d ms is read at least every %d ms", (age, interval) => {
  expect(longestInterval(age)).toBe(interval);
});

test("the next read is due within a third of the age, from one second to twenty, jittered downwards only", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (age, chance) => {
        const interval = nextInterval(age, chance);
        expect(interval).toBeGreaterThanOrEqual(1_000);
        expect(interval).toBeLessThanOrEqual(Math.min(Math.max(age / 3, 1_000), 20_000));
        expect(interval).toBeGreaterThanOrEqual(longestInterval(age) * 0.9 - 1e-6);
      },
    ),
  );
});

test("a poller of an operation of one minute reads at most eighteen times", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 40, maxLength: 40 }),
      (chances) => {
        let reads = 1;
        for (let at = 0; at < 60_000; reads++) at += nextInterval(at, chances[reads]!);
        expect(reads).toBeLessThanOrEqual(18);
      },
    ),
  );
});

test("age counts from the creation, else from the first read, and a cancel makes young", () => {
  const facts = { createTime: 1_000_001_000, firstRead: 5_000, cancelled: undefined };
  const now = { upstream: 1_000_009_000, monotonic: 9_000 };
  expect(ageOf(facts, now)).toBe(8_000);
  expect(ageOf({ ...facts, createTime: undefined }, now)).toBe(4_000);
  expect(ageOf({ createTime: undefined, firstRead: undefined, cancelled: undefined }, now)).toBe(0);
  expect(ageOf({ ...facts, cancelled: 8_500 }, now)).toBe(500);
  expect(ageOf({ ...facts, cancelled: 500 }, now), "a cancel before the creation").toBe(8_000);
});

test("age is never below zero, whatever the two clocks say", () => {
  const now = { upstream: 9_000, monotonic: 9_000 };
  expect(ageOf({ createTime: 99_000, firstRead: undefined, cancelled: undefined }, now)).toBe(0);
  expect(ageOf({ createTime: 1_000, firstRead: undefined, cancelled: 99_000 }, now)).toBe(0);
});

test("failed reads are repeated ever more slowly, up to twenty seconds", () => {
  expect([1, 2, 3, 4, 5, 6, 60].map((failures) => backoff(failures, 0))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000,
  ]);
});
