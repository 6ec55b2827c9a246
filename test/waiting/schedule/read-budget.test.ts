import { expect, test } from "vitest";
import { ReadBudget } from "../../../src/waiting/schedule/read-budget.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

/** Sends polls as soon as the budget allows them, for so long; when they were sent. */
function poll(budget: ReadBudget, from: number, to: number): number[] {
  const sent: number[] = [];
  for (let now = budget.pollAt(from); now < to; now = budget.pollAt(now)) {
    budget.sent(now);
    budget.accepted(now, now);
    sent.push(now);
  }
  return sent;
}

test("a configured rate is kept within five per cent, evenly", () => {
  const sent = poll(new ReadBudget(5), 0, 60_000);
  expect(sent.length / 60).toBeGreaterThan(4.75);
  expect(sent.length / 60).toBeLessThan(5);
  for (let at = 1; at < sent.length; at++) expect(sent[at]! - sent[at - 1]!).toBeGreaterThan(180);
});

test("a pause does not save up reads for its end", () => {
  const budget = new ReadBudget(5);
  poll(budget, 0, 1_000);
  budget.refused(1_000, 1_000, 10_000);
  const sent = poll(budget, 1_000, 13_000);
  expect(sent[0]).toBeGreaterThanOrEqual(11_000);
  expect(sent.filter((at) => at < 12_000).length).toBeLessThanOrEqual(5);
});

test("a call may use what is left of the last second, then waits for its turn, and polls make room for it", () => {
  const budget = new ReadBudget(5);
  for (let n = 0; n < 5; n++) {
    expect(budget.callAt(10_000)).toBe(10_000);
    budget.sent(10_000);
  }
  expect(budget.callAt(10_000)).toBeGreaterThan(10_990);
  expect(budget.pollAt(10_000)).toBeGreaterThan(10_900);
});

test("a flood of calls stops polls for two seconds at most", () => {
  const budget = new ReadBudget(5);
  for (let n = 0; n < 1_000; n++) budget.sent(10_000);
  expect(budget.pollAt(10_000)).toBeLessThanOrEqual(12_000);
});

test("calls are sent during a pause, polls are not", () => {
  for (const configured of [5, undefined]) {
    const budget = new ReadBudget(configured);
    budget.sent(0);
    budget.refused(0, 20, 7_000);
    expect(budget.callAt(1_000)).toBe(1_000);
    expect(budget.pollAt(1_000)).toBeGreaterThanOrEqual(7_020);
  }
});

test("without a word about when, each refusal in a row doubles the pause, up to thirty seconds", () => {
  const budget = new ReadBudget(undefined);
  const pauses: number[] = [];
  for (let n = 0, now = 0; n < 7; n++) {
    budget.sent(now);
    budget.refused(now, now);
    pauses.push(Math.round((budget.paused - now) / 1_000));
    now = budget.paused;
  }
  expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
  const later = budget.paused;
  budget.sent(later);
  budget.accepted(later, later);
  budget.sent(later + 50);
  budget.refused(later + 50, later + 50);
  expect(budget.paused - later - 50).toBeLessThan(1_100);
});

test("reads that were under way together are refused once", () => {
  const budget = new ReadBudget(undefined);
  for (let n = 0; n < 20; n++) budget.sent(n);
  for (let n = 0; n < 5; n++) budget.accepted(n, 100 + n);
  for (let n = 5; n < 20; n++) budget.refused(n, 100 + n, 1_000);
  expect(budget.paused).toBeLessThan(1_200);
  // Five were accepted within the first second, and that is what the limit is taken for.
  expect(budget.rate(2_000)).toBeGreaterThan(4);
  expect(budget.rate(2_000)).toBeLessThanOrEqual(6);
});

test("a server error with Retry-After pauses polls, and teaches nothing of the rate", () => {
  const budget = new ReadBudget(undefined);
  budget.sent(0);
  const before = budget.rate(20);
  budget.accepted(0, 20, 5_000);
  expect(budget.pollAt(20)).toBeGreaterThanOrEqual(5_020);
  expect(budget.rate(20)).toBeGreaterThanOrEqual(before);
});

test("without a limit in sight the learnt rate grows with what is used, and not with what is not", () => {
  const busy = new ReadBudget(undefined);
  expect(poll(busy, 0, 5_000).length).toBeGreaterThan(500);
  const lazy = new ReadBudget(undefined);
  for (let now = 0; now < 60_000; now += 1_000) {
    lazy.sent(now);
    lazy.accepted(now, now);
  }
  expect(lazy.rate(60_000)).toBeLessThan(25);
});

test("the first refusal shows the same limit after an hour in which nobody wanted anything as after none", () => {
  const [atOnce, afterAnHour] = [0, 3_600_000].map((idle) => {
    const budget = new ReadBudget(undefined);
    for (let n = 0; n < 20; n++) {
      budget.sent(idle + n * 50);
      budget.accepted(idle + n * 50, idle + n * 50 + 30);
    }
    budget.refused(idle + 1_000, idle + 1_030, 1_000);
    return poll(budget, budget.paused, budget.paused + 10_000).length / 10;
  });
  expect(atOnce).toBeGreaterThan(14);
  expect(afterAnHour).toBeCloseTo(atOnce!, 1);
});

test("timers that fire late cost no rate, and no second holds more than its share", () => {
  const random = new SeededRandom(5);
  for (const rate of [5, 10, 20]) {
    const budget = new ReadBudget(rate);
    const sent: number[] = [];
    for (let now = 0; now < 120_000; ) {
      // A timer is up to a twentieth of a second late.
      now = budget.pollAt(now) + random.between(0, 50);
      budget.sent(now);
      budget.accepted(now, now);
      sent.push(now);
    }
    expect(sent.length / 120, `${rate} a second`).toBeGreaterThan(rate * 0.95);
    for (const from of sent)
      expect(sent.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(rate);
  }
});
