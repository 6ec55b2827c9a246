import { expect, test } from "vitest";
import { waitEnd } from "../../../src/waiting/deliver/wait-end.ts";

const HOUR = 3_600_000;
const none = Number.POSITIVE_INFINITY;

test.each([
  { timeoutMs: undefined, left: none, wait: HOUR },
  { timeoutMs: 5_000, left: none, wait: 5_000 },
  { timeoutMs: 2 * HOUR, left: none, wait: HOUR },
  { timeoutMs: undefined, left: 10_000, wait: 9_900 },
  { timeoutMs: 5_000, left: 10_000, wait: 5_000 },
  { timeoutMs: 9_950, left: 10_000, wait: 9_900 },
  { timeoutMs: 60_000, left: 500, wait: 450 },
  { timeoutMs: 60_000, left: 0, wait: 0 },
  { timeoutMs: 60_000, left: -5, wait: 0 },
  { timeoutMs: 0, left: none, wait: 0 },
])("timeout $timeoutMs ms with $left ms left waits $wait ms", ({ timeoutMs, left, wait }) => {
  expect(waitEnd({ now: 7, timeoutMs, deadline: 7 + left, maxWait: HOUR })).toBe(7 + wait);
});
