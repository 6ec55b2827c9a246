import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { EndListeners } from "../../src/lib/end-listeners.ts";

const WHY = new ConnectError("gone", Code.Canceled);

test("tells everybody once who has not asked to be forgotten", () => {
  for (const forgotten of [[], [0], [1], [2], [0, 2], [0, 1, 2]]) {
    const listeners = new EndListeners();
    const told: string[] = [];
    const forget = [0, 1, 2].map((n) => listeners.add((why) => told.push(`${n} ${why.rawMessage}`)));
    for (const n of forgotten) forget[n]!();
    listeners.tell(WHY);
    listeners.tell(WHY);
    expect(told).toEqual([0, 1, 2].filter((n) => !forgotten.includes(n)).map((n) => `${n} gone`));
  }
});

test("forgets only whom it was asked to forget, also when another has taken the place", () => {
  const listeners = new EndListeners();
  const told: string[] = [];
  const forget = listeners.add(() => told.push("first"));
  forget();
  listeners.add(() => told.push("second"));
  forget();
  listeners.tell(WHY);
  expect(told).toEqual(["second"]);
});
