import { expect, it } from "vitest";
import { FirstToken } from "../../src/upstream/first-token.ts";
import { type AccessToken, TokenFailure, TokenSource } from "../../src/upstream/token-source.ts";
import { ManualClock } from "../support/manual-clock.ts";

const token: AccessToken = { authorization: "Bearer t", quotaProject: undefined, lifetimeMs: 3_600_000 };

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

it("asks until there is a token, at the pace of a failing token service", async () => {
  const clock = new ManualClock();
  let asked = 0;
  const fetchToken = async () => {
    if (++asked < 4) throw new TokenFailure("unavailable", "not now");
    return token;
  };
  const first = new FirstToken(new TokenSource(fetchToken, clock, () => 0), clock);
  let had = false;
  void first.had.then(() => {
    had = true;
  });
  await settle();
  expect(asked).toBe(1);
  // One, two and four seconds of back-off.
  for (const [ms, expected] of [
    [999, 1],
    [1, 2],
    [1_999, 2],
    [1, 3],
    [3_999, 3],
  ] as const) {
    await clock.advance(ms);
    await settle();
    expect([asked, had]).toEqual([expected, false]);
  }
  await clock.advance(1);
  await settle();
  expect([asked, had]).toEqual([4, true]);
});

it("asks no more once it is stopped", async () => {
  const clock = new ManualClock();
  let asked = 0;
  const fetchToken = async () => {
    asked++;
    throw new TokenFailure("rejected", "never");
  };
  const first = new FirstToken(new TokenSource(fetchToken, clock, () => 0), clock);
  await settle();
  first.stop();
  await clock.advance(100_000);
  await settle();
  expect(asked).toBe(1);
});
