import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_RETRY_BUDGET, RetryBudget } from "../../src/upstream/retry-budget.ts";

test("lets a quiet gateway retry", () => {
  const budget = new RetryBudget();
  budget.countRequest(0);
  expect([1, 2, 3, 4, 5, 6].map(() => budget.tryRetry(0))).toEqual([true, true, true, true, true, false]);
});

test("refills as the window moves on", () => {
  const budget = new RetryBudget({ floor: 1 });
  expect([budget.tryRetry(1_000), budget.tryRetry(10_999), budget.tryRetry(11_000)]).toEqual([
    true,
    false,
    true,
  ]);
});

test("keeps a storm of failures at 1.1 times its traffic", () => {
  const budget = new RetryBudget();
  let retries = 0;
  // 100 calls a second for a minute; each would like two retries.
  for (let ms = 0; ms < 60_000; ms += 10) {
    budget.countRequest(ms);
    for (const _ of [1, 2]) if (budget.tryRetry(ms)) retries++;
  }
  expect(retries).toBeLessThanOrEqual(600);
  expect(retries).toBeGreaterThan(500);
});

test("never lets the retries of any window exceed a tenth of its requests, or the floor", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.boolean()), { maxLength: 500 }),
      (events) => {
        const budget = new RetryBudget();
        const requests: number[] = [];
        const retries: number[] = [];
        let now = 0;
        for (const [wait, isRetry] of events) {
          now += wait;
          const from = (Math.floor(now / 1000) - DEFAULT_RETRY_BUDGET.windowSeconds + 1) * 1000;
          const inWindow = (times: number[]) => times.filter((at) => at >= from).length;
          const allowed = Math.max(DEFAULT_RETRY_BUDGET.floor, Math.floor(inWindow(requests) / 10));
          if (!isRetry) {
            budget.countRequest(now);
            requests.push(now);
          } else {
            expect(budget.tryRetry(now)).toBe(inWindow(retries) < allowed);
            if (inWindow(retries) < allowed) retries.push(now);
          }
        }
      },
    ),
  );
});
