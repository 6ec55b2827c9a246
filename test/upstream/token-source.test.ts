import { expect, test } from "vitest";
import { type AccessToken, TokenFailure, TokenSource } from "../../src/upstream/token-source.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR = 3_600_000;

/** A token service whose answers the test decides, one by one or by rule. */
class Issuer {
  readonly clock = new ManualClock();
  asked = 0;
  answer: "token" | "fail" | "hang" = "token";
  lifetimeMs = HOUR;
  latencyMs = 20;
  readonly source = new TokenSource(
    () => this.fetch(),
    this.clock,
    () => 0,
  );

  private fetch(): Promise<AccessToken> {
    const n = ++this.asked;
    const { answer } = this;
    return new Promise((resolve, reject) => {
      if (answer === "hang") return;
      this.clock.setTimer(this.latencyMs, () =>
        answer === "token"
          ? resolve({ authorization: `Bearer t${n}`, quotaProject: undefined, lifetimeMs: this.lifetimeMs })
          : reject(new TokenFailure("unavailable", "down")),
      );
    });
  }

  /** The token a call gets, or the message of its failure, and after how many milliseconds. */
  async call(): Promise<{ token: string; ms: number }> {
    const start = this.clock.monotonic();
    let ended: { token: string; ms: number } | undefined;
    const end = (token: string) => {
      ended = { token, ms: this.clock.monotonic() - start };
    };
    Promise.resolve(this.source.get()).then(
      (token) => end(token.authorization),
      (error: Error) => end(error.message),
    );
    for (let ms = 0; ms < 20_000; ms += 5) {
      await this.clock.advance(ended ? 0 : 5);
      if (ended) return ended;
    }
    throw new Error("the call never ended");
  }
}

test("fetches once for a thousand callers, and keeps the token", async () => {
  const issuer = new Issuer();
  const tokens = Promise.all(Array.from({ length: 1000 }, () => issuer.source.get()));
  await issuer.clock.advance(100);
  expect(new Set((await tokens).map((token) => token.authorization))).toEqual(new Set(["Bearer t1"]));
  expect(issuer.source.get()).toMatchObject({ authorization: "Bearer t1" });
  expect(issuer.asked).toBe(1);
});

test("replaces the token in the background while the valid one is served without a wait", async () => {
  const issuer = new Issuer();
  await issuer.call();
  await issuer.clock.advance(HOUR - 240_000 - 1000);
  issuer.source.get();
  expect(issuer.asked).toBe(1);
  await issuer.clock.advance(1000);
  expect(issuer.source.get()).toMatchObject({ authorization: "Bearer t1" });
  expect(issuer.asked).toBe(2);
  await issuer.clock.advance(100);
  expect(issuer.source.get()).toMatchObject({ authorization: "Bearer t2" });
});

test("no caller sees a token service that is down for a minute while the token is valid", async () => {
  const issuer = new Issuer();
  await issuer.call();
  await issuer.clock.advance(HOUR - 240_000);
  issuer.answer = "fail";
  for (let ms = 0; ms < 60_000; ms += 100) {
    expect(issuer.source.get()).toMatchObject({ authorization: "Bearer t1" });
    await issuer.clock.advance(100);
  }
  expect(issuer.asked).toBeGreaterThan(3);
  expect(issuer.asked).toBeLessThan(20);
  issuer.answer = "token";
  await issuer.clock.advance(9_000);
  issuer.source.get();
  await issuer.clock.advance(100);
  expect(issuer.source.get()).toMatchObject({ authorization: `Bearer t${issuer.asked}` });
});

test("does not use a token in its last thirty seconds", async () => {
  const issuer = new Issuer();
  await issuer.call();
  issuer.answer = "fail";
  await issuer.clock.advance(HOUR - 30_001 - issuer.latencyMs);
  expect(issuer.source.get()).toMatchObject({ authorization: "Bearer t1" });
  await issuer.clock.advance(10_000);
  expect(await issuer.call()).toMatchObject({ token: "down" });
});

test("with the token expired and the service down, every caller hears of it within 100 ms and one a second asks", async () => {
  const issuer = new Issuer();
  issuer.answer = "fail";
  issuer.latencyMs = 2_000;
  // The first one has to find out.
  expect(await issuer.call()).toEqual({ token: "down", ms: 2_000 });
  const asked = issuer.asked;
  const start = issuer.clock.monotonic();
  for (let call = 0; call < 1000; call++) {
    const { token, ms } = await issuer.call();
    expect(token).toBe("down");
    expect(ms).toBeLessThan(100);
    await issuer.clock.advance(5);
  }
  const seconds = (issuer.clock.monotonic() - start) / 1000;
  expect(issuer.asked - asked).toBeLessThanOrEqual(seconds);
  expect(issuer.asked - asked).toBeGreaterThan(0);
});

test("recovers with the first fetch that works, long after an outage without making the caller fail", async () => {
  const issuer = new Issuer();
  issuer.answer = "fail";
  await issuer.call();
  issuer.answer = "token";
  issuer.latencyMs = 500;
  await issuer.clock.advance(60_000);
  expect(await issuer.call()).toEqual({ token: "Bearer t2", ms: 500 });
});

test("gives up on a token service that never answers, and asks again later", async () => {
  const issuer = new Issuer();
  issuer.answer = "hang";
  expect(await issuer.call()).toEqual({ token: "the token service did not answer in time", ms: 10_000 });
  issuer.answer = "token";
  await issuer.clock.advance(1_500);
  expect(await issuer.call()).toEqual({ token: "Bearer t2", ms: issuer.latencyMs });
});

test("replaces a refused token once for all calls that were refused with it", async () => {
  const issuer = new Issuer();
  await issuer.call();
  const refused = issuer.source.get() as AccessToken;
  const replaced = Promise.all(Array.from({ length: 100 }, () => issuer.source.replace(refused)));
  await issuer.clock.advance(100);
  expect(new Set((await replaced).map((token) => token?.authorization))).toEqual(new Set(["Bearer t2"]));
  expect(issuer.asked).toBe(2);
  // One that comes late finds the new token already there.
  expect(await issuer.source.replace(refused)).toMatchObject({ authorization: "Bearer t2" });
  expect(issuer.asked).toBe(2);
});

test("does not fetch again for a token that is refused although it has just been forced", async () => {
  const issuer = new Issuer();
  await issuer.call();
  const refused = issuer.source.get() as AccessToken;
  const replaced = issuer.source.replace(refused);
  await issuer.clock.advance(100);
  const next = await replaced;
  expect(await issuer.source.replace(next!)).toBeUndefined();
  expect(issuer.asked).toBe(2);
  await issuer.clock.advance(1_000);
  const later = issuer.source.replace(next!);
  await issuer.clock.advance(100);
  expect(await later).toMatchObject({ authorization: "Bearer t3" });
});

test("counts a token that has expired on arrival as a failure", async () => {
  const issuer = new Issuer();
  issuer.lifetimeMs = -1;
  expect((await issuer.call()).token).toContain("has expired");
});

test("uses no token for longer than an hour, whatever a slow clock makes of its expiry", async () => {
  const issuer = new Issuer();
  issuer.lifetimeMs = HOUR + 600_000;
  await issuer.call();
  await issuer.clock.advance(HOUR - 30_000);
  issuer.lifetimeMs = HOUR;
  expect((await issuer.call()).token).toBe("Bearer t2");
});

test("serves short-lived tokens for most of their life", async () => {
  const issuer = new Issuer();
  issuer.lifetimeMs = 60_000;
  await issuer.call();
  await issuer.clock.advance(29_000);
  issuer.source.get();
  expect(issuer.asked).toBe(1);
  await issuer.clock.advance(2_000);
  expect(issuer.source.get()).toMatchObject({ authorization: "Bearer t1" });
  expect(issuer.asked).toBe(2);
});

test("holds no timer while it is idle", async () => {
  const issuer = new Issuer();
  await issuer.call();
  expect(issuer.clock.pending).toBe(0);
});
