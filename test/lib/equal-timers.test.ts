import fc from "fast-check";
import { expect, test } from "vitest";
import { EqualTimers } from "../../src/lib/equal-timers.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

test("each timer fires once, at its time, unless it was cancelled: as the clock's own do", async () => {
  const step = fc.record({ waitMs: fc.nat(60), cancel: fc.option(fc.nat(20), { nil: undefined }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const fired = await Promise.all(
        [false, true].map(async (equal) => {
          const clock = new SimulatedClock();
          const timers = new EqualTimers(clock, 50);
          const log: string[] = [];
          const set = (fn: () => void) => (equal ? timers.set({ timeUp: fn }) : clock.setTimer(50, fn));
          const made: ReturnType<typeof set>[] = [];
          for (const [i, { waitMs, cancel }] of steps.entries()) {
            made.push(set(() => log.push(`${i} at ${clock.monotonic()}`)));
            await clock.advance(waitMs);
            if (cancel !== undefined) made[cancel]?.cancel();
          }
          await clock.advance(100);
          expect(clock.pending).toBe(0);
          return log;
        }),
      );
      expect(fired[1]).toEqual(fired[0]);
    }),
    { numRuns: 200 },
  );
});

test("a timer that is set while another one fires has its whole time", async () => {
  const clock = new SimulatedClock();
  const timers = new EqualTimers(clock, 50);
  const fired: number[] = [];
  timers.set({
    timeUp: () => {
      fired.push(clock.monotonic());
      timers.set({ timeUp: () => fired.push(clock.monotonic()) });
    },
  });
  await clock.advance(200);
  expect(fired).toEqual([50, 100]);
  expect(clock.pending).toBe(0);
});

test("runs one timer of the clock, however many are set, and none when all are cancelled", () => {
  const clock = new SimulatedClock();
  const timers = new EqualTimers(clock, 50);
  const all = Array.from({ length: 1_000 }, () => timers.set({ timeUp: () => {} }));
  expect(clock.pending).toBe(1);
  for (const timer of all) timer.cancel();
  expect(clock.pending).toBe(0);
});
