import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type FailedAttempt, MAX_RETRIES, retryDelay } from "../../src/upstream/retry.ts";

const FAILED: FailedAttempt = {
  code: Code.Unavailable,
  attempts: 1,
  retryable: true,
  retryAfterMs: undefined,
  now: 0,
  deadline: Number.POSITIVE_INFINITY,
  random: 0,
};

test("waits a second before the first retry and two before the second, then gives up", () => {
  expect([1, 2, 3].map((attempts) => retryDelay({ ...FAILED, attempts }))).toEqual([1000, 2000, undefined]);
});

test.each(Object.values(Code).filter((code) => typeof code === "number" && code !== Code.Unavailable))(
  "does not retry code %i",
  (code) => {
    expect(retryDelay({ ...FAILED, code: code as Code })).toBeUndefined();
  },
);

test("does not retry what trying again cannot help", () => {
  expect(retryDelay({ ...FAILED, retryable: false })).toBeUndefined();
});

test("waits for as long as the upstream asks, but never less than a second", () => {
  expect(retryDelay({ ...FAILED, retryAfterMs: 7000 })).toBe(7000);
  expect(retryDelay({ ...FAILED, retryAfterMs: 200 })).toBe(1000);
});

test("tells the caller instead of waiting longer than a caller would", () => {
  expect(retryDelay({ ...FAILED, retryAfterMs: 60_000 })).toBeUndefined();
});

test("never waits past the deadline, and never less than a second", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: MAX_RETRIES }),
      fc.integer({ min: 0, max: 40_000 }),
      fc.integer({ min: 0, max: 60_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempts, retryAfterMs, left, random) => {
        const delay = retryDelay({
          ...FAILED,
          attempts,
          retryAfterMs,
          now: 500,
          deadline: 500 + left,
          random,
        });
        if (delay === undefined) return;
        expect(delay).toBeGreaterThanOrEqual(Math.max(1000, retryAfterMs));
        expect(500 + delay).toBeLessThan(500 + left);
      },
    ),
  );
});
