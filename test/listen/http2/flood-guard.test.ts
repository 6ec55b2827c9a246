import { describe, expect, it } from "vitest";
import { FloodGuard } from "../../../src/listen/http2/flood-guard.ts";
import { TokenBucket } from "../../../src/listen/http2/token-bucket.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../../src/listen/limits.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** How often it can be done before it throws, 10,000 times at most. */
function countUntilRefused(act: () => void): number {
  for (let times = 0; times < 10_000; times++) {
    try {
      act();
    } catch {
      return times;
    }
  }
  return 10_000;
}

describe("TokenBucket", () => {
  it("gives a burst, and then so many a second", async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket(clock, 5, 2);
    const taken = () => {
      let count = 0;
      while (bucket.take()) count++;
      return count;
    };
    expect(taken()).toBe(5);
    expect(taken()).toBe(0);
    await clock.advance(1_000);
    expect(taken()).toBe(2);
    await clock.advance(250);
    expect(taken()).toBe(0);
    await clock.advance(250);
    expect(taken()).toBe(1);
    await clock.advance(3_600_000);
    expect(taken()).toBe(5);
  });

  it("takes back no more than there is room for", () => {
    const bucket = new TokenBucket(new ManualClock(), 2, 0);
    bucket.take();
    bucket.give(100);
    expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, false]);
  });
});

describe("FloodGuard", () => {
  const limits = { ...DEFAULT_LISTENER_LIMITS, resetBurst: 10, resetsPerSecond: 1 };

  it("ends a connection that resets more streams than its limits say", async () => {
    const clock = new ManualClock();
    const guard = new FloodGuard(clock, limits);
    expect(countUntilRefused(() => guard.reset())).toBe(10);
    await clock.advance(3_000);
    expect(countUntilRefused(() => guard.reset())).toBe(3);
  });

  it("ends a connection that sends frames and no calls", () => {
    const guard = new FloodGuard(new ManualClock(), limits);
    expect(countUntilRefused(() => guard.idleFrame())).toBe(2_000);
  });

  it("bears a PING and a few window updates with every call and every piece of an answer, for ever", () => {
    const guard = new FloodGuard(new ManualClock(), limits);
    const call = () => {
      guard.opened();
      for (let frame = 0; frame < 8; frame++) guard.idleFrame();
      guard.sentData();
      for (let frame = 0; frame < 4; frame++) guard.idleFrame();
    };
    expect(countUntilRefused(call)).toBe(10_000);
  });
});
