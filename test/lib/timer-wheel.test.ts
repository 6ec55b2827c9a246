import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/lib/clock.ts";
import { type Expiring, TICK_MS, TimerWheel } from "../../src/lib/timer-wheel.ts";

/** A clock that stands still until it is told to go on; timers fire in order, late when it jumps. */
function createManualClock(): Clock & { advance(ms: number): void; timers: () => number } {
  let now = 1_000;
  let timers: { at: number; fn: () => void }[] = [];
  return {
    now: () => now,
    monotonic: () => now,
    setTimer(delayMs, fn) {
      const timer = { at: now + delayMs, fn };
      timers.push(timer);
      return { cancel: () => (timers = timers.filter((other) => other !== timer)) };
    },
    advance(ms) {
      now += ms;
      const due = timers.filter((timer) => timer.at <= now);
      timers = timers.filter((timer) => timer.at > now);
      for (const timer of due) timer.fn();
    },
    timers: () => timers.length,
  };
}

function createEntry(expire: (now: number) => void): Expiring {
  return { due: 0, next: undefined, previous: undefined, expire };
}

describe("TimerWheel", () => {
  it("expires an entry once, not before it is due and at most two ticks late", () => {
    const clock = createManualClock();
    const wheel = new TimerWheel(clock);
    const fired: number[] = [];
    const start = clock.monotonic();
    for (const delay of [0, -5, 1, 12, 100, 6_000, 30_000])
      wheel.set(
        createEntry(() => fired.push(delay)),
        start + delay,
      );
    const seen = new Map<number, number>();
    for (let elapsed = 0; elapsed < 31_000; elapsed += TICK_MS) {
      clock.advance(TICK_MS);
      for (const delay of fired.splice(0)) {
        expect(seen.has(delay)).toBe(false);
        seen.set(delay, clock.monotonic() - start);
      }
    }
    for (const [delay, at] of seen) {
      expect(at).toBeGreaterThanOrEqual(delay);
      expect(at).toBeLessThanOrEqual(Math.max(delay, 0) + 2 * TICK_MS);
    }
    expect(seen.size).toBe(7);
    expect(clock.timers()).toBe(0);
  });

  it("expires everything that is due after a pause longer than a turn", () => {
    const clock = createManualClock();
    const wheel = new TimerWheel(clock);
    let fired = 0;
    for (let delay = 0; delay < 20_000; delay += 7)
      wheel.set(
        createEntry(() => fired++),
        clock.monotonic() + delay,
      );
    clock.advance(60_000);
    expect(fired).toBe(Math.ceil(20_000 / 7));
    expect(wheel.size).toBe(0);
  });

  it("keeps any sequence of sets, moves and forgets, also out of an expiry", () => {
    const step = fc.record({
      entry: fc.integer({ min: 0, max: 7 }),
      what: fc.constantFrom("set", "forget", "advance"),
      // Mostly within the same tick.
      ms: fc.oneof(fc.integer({ min: -10, max: 9_000 }), fc.integer({ min: 0, max: 4 })),
      also: fc.integer({ min: 0, max: 7 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = createManualClock();
        const wheel = new TimerWheel(clock);
        const due = new Map<number, number>();
        const entries = Array.from({ length: 8 }, (_, index) =>
          createEntry((now) => {
            expect(due.get(index)).toBeLessThanOrEqual(now);
            due.delete(index);
            // A call that expires may end another one, a parent its child, or give it something to write.
            const neighbour = (index + 1) % 8;
            if (index % 4 === 0) {
              wheel.forget(entries[neighbour] as Expiring);
              due.delete(neighbour);
            } else if (index % 4 === 2) {
              wheel.set(entries[neighbour] as Expiring, now + 700);
              due.set(neighbour, now + 700);
            }
          }),
        );
        for (const { entry, what, ms } of steps) {
          if (what === "set") {
            wheel.set(entries[entry] as Expiring, clock.monotonic() + ms);
            due.set(entry, clock.monotonic() + ms);
          } else if (what === "forget") {
            wheel.forget(entries[entry] as Expiring);
            due.delete(entry);
          } else {
            for (let gone = 0; gone < ms; gone += 500) clock.advance(Math.min(500, ms - gone));
          }
          expect(wheel.size).toBe(due.size);
        }
        clock.advance(10_000);
        // What was moved in there, and then there.
        clock.advance(1_000);
        clock.advance(1_000);
        expect(due.size).toBe(0);
        expect(clock.timers()).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });

  it("lets an expiry move what stands next to it in the same tick", () => {
    const clock = createManualClock();
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    const due = clock.monotonic() + 100;
    const others = ["a", "b"].map((name) => createEntry(() => fired.push(name)));
    const mover = createEntry(() => {
      for (const other of others) wheel.set(other, due + 700);
    });
    for (const entry of [others[0], mover, others[1]]) wheel.set(entry as Expiring, due);
    clock.advance(110);
    // One of them came before the mover, and both come later.
    expect(fired).toHaveLength(1);
    clock.advance(710);
    expect(fired.slice(1).toSorted()).toEqual(["a", "b"]);
    expect(wheel.size).toBe(0);
  });
});
