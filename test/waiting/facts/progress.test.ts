import { expect, test } from "vitest";
import { progressOf, rateBetween } from "../../../src/waiting/facts/progress.ts";

function counters(pending: number, success: number, failure = 0) {
  return {
    pending: BigInt(pending),
    success: BigInt(success),
    failure: BigInt(failure),
    secondarySuccess: 0n,
    secondaryFailure: 0n,
  };
}

test("the fraction is the processed part, failed units included", () => {
  expect(progressOf(counters(50, 30, 20), undefined)?.fraction).toBe(0.5);
  expect(progressOf(counters(0, 10), undefined)?.fraction).toBe(1);
  expect(progressOf(counters(10, 0), undefined)?.fraction).toBe(0);
});

test("without counters there is no progress, without units no fraction", () => {
  expect(progressOf(undefined, 1)).toBeUndefined();
  expect(progressOf(counters(0, 0), undefined)?.fraction).toBeUndefined();
});

test("the rate is units per second between two reads", () => {
  expect(
    rateBetween({ at: 1_000, counters: counters(90, 10) }, { at: 3_000, counters: counters(60, 30, 10) }),
  ).toBe(15);
});

test.each([
  ["the counters went back", { at: 2_000, counters: counters(95, 5) }],
  ["the reads do not differ in time", { at: 1_000, counters: counters(80, 20) }],
  ["a read has no counters", { at: 2_000, counters: undefined }],
])("there is no rate when %s", (_why, later) => {
  expect(rateBetween({ at: 1_000, counters: counters(90, 10) }, later)).toBeUndefined();
});
