import { expect, test } from "vitest";
import { UpstreamClock } from "../../../src/waiting/schedule/upstream-clock.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const MINUTES = 60_000;

function clockAndAnswers() {
  const clock = new SimulatedClock();
  const upstream = new UpstreamClock(clock);
  const answered = (date: string | undefined, httpStatus = 200): void =>
    upstream.answered({ httpStatus, requestId: undefined, attempts: 1, date });
  return { clock, upstream, answered };
}

test("is the gateway's own until an answer shows another one, and then that one, to a second", async () => {
  const { clock, upstream, answered } = clockAndAnswers();
  expect(upstream.now()).toBe(clock.now());
  const truth = clock.now() - 10 * MINUTES;
  answered(new Date(truth).toUTCString());
  await clock.advance(90 * MINUTES);
  expect(Math.abs(upstream.now() - (truth + 90 * MINUTES))).toBeLessThanOrEqual(1_000);
});

test("goes on at the pace of time when the gateway's own clock is set, and follows the upstream's when that is", async () => {
  const { clock, upstream, answered } = clockAndAnswers();
  const start = clock.now();
  answered(new Date(start).toUTCString());
  clock.wallStart += 60 * MINUTES;
  await clock.advance(MINUTES);
  expect(Math.abs(upstream.now() - (start + MINUTES))).toBeLessThanOrEqual(1_000);
  answered(new Date(start - MINUTES).toUTCString());
  expect(Math.abs(upstream.now() - (start - MINUTES))).toBeLessThanOrEqual(1_000);
});

test("takes no time from what is no date, and none from an error, which may be of somebody on the way", () => {
  const { clock, upstream, answered } = clockAndAnswers();
  for (const date of [undefined, "", "soon", "Tue, 99 Nov 2026"]) answered(date);
  answered(new Date(0).toUTCString(), 503);
  answered(new Date(0).toUTCString(), 404);
  upstream.answered(undefined);
  expect(upstream.now()).toBe(clock.now());
});
