import { expect, test } from "vitest";
import { DepartedStreams, LEAVING_MS, MANY_STREAMS } from "../../src/lib/departed-streams.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

function departures() {
  const clock = new SimulatedClock();
  const collections: number[] = [];
  const departed = new DepartedStreams(clock, () => collections.push(clock.monotonic()));
  const leave = (count: number): void => {
    for (let n = 0; n < count; n++) departed.add();
  };
  return { clock, collections, leave };
}

test("collects once when a crowd has left, after the last of those who leave together", async () => {
  const { clock, collections, leave } = departures();
  leave(MANY_STREAMS);
  await clock.advance(LEAVING_MS / 2);
  leave(5 * MANY_STREAMS);
  expect(collections).toEqual([]);
  await clock.advance(60_000);
  expect(collections).toEqual([LEAVING_MS]);
});

test("leaves it to V8 while few leave, and counts them", async () => {
  const { clock, collections, leave } = departures();
  leave(MANY_STREAMS - 1);
  await clock.advance(60_000);
  expect(collections).toEqual([]);
  leave(1);
  await clock.advance(60_000);
  expect(collections).toHaveLength(1);
  leave(MANY_STREAMS - 1);
  await clock.advance(60_000);
  expect(collections).toHaveLength(1);
});
