import { expect, test } from "vitest";
import { BackgroundShare } from "../../src/upstream/background.ts";

/** How many polls may have a connection that no call waits for. */
function room(connections: number): number {
  const share = new BackgroundShare(connections);
  let held = 0;
  for (; share.hasRoom && held < 10_000; held++) share.taken();
  return held;
}

/** Who gets each connection that becomes free while calls and polls wait; a poll keeps it for so many turns. */
function turns(connections: number, count: number, pollLasts: number): string {
  const share = new BackgroundShare(connections);
  const ends: number[] = [];
  let given = "";
  for (let turn = 0; turn < count; turn++) {
    for (; ends[0] === turn; ends.shift()) share.returned();
    const poll = share.takeTurn();
    given += poll ? "p" : "c";
    if (!poll) continue;
    share.taken();
    ends.push(turn + pollLasts);
  }
  return given;
}

test.each([
  [1, 1],
  [7, 7],
  [8, 7],
  [64, 56],
  [1024, 896],
])("of %i connections polls hold %i at most, so that a call finds one", (connections, most) => {
  expect(room(connections)).toBe(most);
});

test.each([1, 2, 64])(
  "of %i connections every eighth that becomes free goes to a poll while calls wait",
  (connections) => {
    expect(turns(connections, 24, 1)).toBe("cccccccp".repeat(3));
  },
);

test("polls that are slow hold no more than an eighth of the connections while calls wait, and then go on", () => {
  const given = turns(16, 200, 100);
  expect(given.slice(0, 100).split("p").length - 1).toBe(2);
  expect(given.slice(100).split("p").length - 1).toBe(2);
});

test("polls that came while no call waited keep their connections, and get no more until they are an eighth", () => {
  const share = new BackgroundShare(16);
  for (let n = 0; n < 14; n++) share.taken();
  const given = Array.from({ length: 14 }, () => {
    share.returned();
    return share.takeTurn();
  });
  // The thirteenth that is given back leaves one.
  expect(given.indexOf(true)).toBe(12);
});
