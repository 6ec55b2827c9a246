import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { EndListeners } from "../../src/lib/end-listeners.ts";

const WHY = new ConnectError("gone", Code.Canceled);

test("tells everybody once who has not asked to be forgotten", () => {
  for (const forgotten of [[], [0], [1], [2], [0, 2], [0, 1, 2]]) {
    const listeners = new EndListeners();
    const told: string[] = [];
    const all = [0, 1, 2].map((n) => ({
      callEnded: (why: ConnectError) => told.push(`${n} ${why.rawMessage}`),
    }));
    for (const listener of all) listeners.add(listener);
    for (const n of forgotten) listeners.delete(all[n]!);
    listeners.tell(WHY);
    listeners.tell(WHY);
    expect(told).toEqual([0, 1, 2].filter((n) => !forgotten.includes(n)).map((n) => `${n} gone`));
  }
});

test("forgets only whom it was asked to forget, also when another has taken the place", () => {
  const listeners = new EndListeners();
  const told: string[] = [];
  const first = { callEnded: () => told.push("first") };
  listeners.add(first);
  listeners.delete(first);
  listeners.add({ callEnded: () => told.push("second") });
  listeners.delete(first);
  listeners.tell(WHY);
  expect(told).toEqual(["second"]);
});

test("tells those who leave while the others are told, and whoever comes then is for the next time", () => {
  const listeners = new EndListeners();
  const told: string[] = [];
  const third = { callEnded: () => told.push("third") };
  listeners.add({
    callEnded: () => {
      told.push("first");
      listeners.delete(third);
      listeners.add({ callEnded: () => told.push("late") });
    },
  });
  listeners.add({ callEnded: () => told.push("second") });
  listeners.add(third);
  listeners.tell(WHY);
  expect(told).toEqual(["first", "second", "third"]);
});
