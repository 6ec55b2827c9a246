import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { WatchOperationResponse_Kind as Kind } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { waitForOperation } from "../../src/waiting/deliver/wait-for-operation.ts";
import { EngineBench, operationName } from "../support/engine-bench.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { StreamReader } from "../support/stream-reader.ts";

const LIMIT = 5;
const OPERATIONS = 300;
const MINUTES = 10;
const END = MINUTES * 60_000;

/** Ways in which an upstream counts to five in a second. Each returns whether one more is too many. */
const limiters: Record<string, () => (now: number) => boolean> = {
  "a bucket of tokens": () => {
    let tokens = LIMIT;
    let last = 0;
    return (now) => {
      tokens = Math.min(LIMIT, tokens + ((now - last) * LIMIT) / 1000);
      last = now;
      if (tokens < 1) return true;
      tokens--;
      return false;
    };
  },
  "a sliding second": () => {
    let taken: number[] = [];
    return (now) => {
      taken = taken.filter((at) => at > now - 1000);
      if (taken.length >= LIMIT) return true;
      taken.push(now);
      return false;
    };
  },
  "whole seconds": () => {
    let second = -1;
    let taken = 0;
    return (now) => {
      if (Math.floor(now / 1000) !== second) [second, taken] = [Math.floor(now / 1000), 0];
      return ++taken > LIMIT;
    };
  },
};

/** All combinations run in `npm run simulation`; each limiter, and each pause, in `npm test`. */
const ALL = process.env["SIMULATION_RUNS"] !== undefined;

/** What the emulator says at five a second is 1 s: the next token, rounded up. */
const RETRY_AFTER_MS = 1_000;

const cases = Object.keys(limiters).flatMap((limiter, at) => {
  const all = ALL || at === 0;
  return [
    ...[RETRY_AFTER_MS, ...(all ? [0] : [])].map((retryAfter) => ({
      limiter,
      configured: LIMIT,
      retryAfter,
    })),
    ...[RETRY_AFTER_MS, ...(all ? [0, 2_000, 5_000, 10_000] : [])].map((retryAfter) => ({
      limiter,
      configured: undefined,
      retryAfter,
    })),
  ];
});

/** From here on a window of ten seconds with one pause in it cannot hold 60 % of the limit, whatever is done. */
const LONG_PAUSE_MS = 4_000;

test.each(cases)(
  `${OPERATIONS} operations with 4 watchers each share ${LIMIT} reads a second: $limiter, budget $configured, Retry-After $retryAfter ms`,
  async ({ limiter, configured, retryAfter }) => {
    const isTooMany = limiters[limiter]!();
    const { clock, engine, upstream, call, upstreamCall } = new EngineBench({
      // Reads are looked at here, not signs of life, which would be two thirds of the work.
      config: { readsPerSecond: configured, heartbeat: END },
      behaviour: {
        latency: () => random.between(10, 60),
        refuses: (now) => (isTooMany(now) ? retryAfter : undefined),
      },
    });
    const random = new SeededRandom(7);
    const errors: ConnectError[] = [];
    const lags: number[] = [];
    for (let n = 0; n < OPERATIONS; n++) {
      const name = operationName(n, n);
      const operation = upstream.start(name, random.between(60_000, END * 3));
      const lag = () => lags.push(clock.monotonic() - upstream.endOf(operation));
      for (let watcher = 0; watcher < 4; watcher++) {
        if (watcher % 2 === 0)
          waitForOperation(engine, name, undefined, call()).then(lag, (error) =>
            errors.push(ConnectError.from(error)),
          );
        else
          new StreamReader(engine.watchOperation(name, call()), (message) => {
            if (message.kind === Kind.STATE && message.operation?.done) lag();
          });
      }
    }
    const calls: { took: number; code: Code | undefined }[] = [];
    const ask = async () => {
      while (clock.monotonic() < END) {
        await clock.sleep(random.between(500, 4_000));
        const began = clock.monotonic();
        const code = await engine.get(operationName(random.below(OPERATIONS), "x"), upstreamCall()).then(
          () => undefined,
          (error) => ConnectError.from(error).code,
        );
        calls.push({ took: clock.monotonic() - began, code: code === Code.NotFound ? undefined : code });
      }
    };
    ask();
    await clock.advance(END);

    expect(errors.filter((error) => error.code !== Code.Canceled)).toEqual([]);
    const reads = upstream.requests("get");
    const refused = reads.filter(({ status }) => status === 429);
    const accepted = reads.filter(({ status }) => status !== 429).map(({ arrived }) => arrived);
    const from = configured ? 0 : 20_000;
    const in30 = leastRate(accepted, 30_000, from);
    const in10 = leastRate(accepted, 10_000, from);
    const slow = percentile(
      calls.map(({ took }) => took),
      0.99,
    );
    const lag = [0.5, 0.95].map((share) => (percentile(lags, share) / 1000).toFixed(0));
    console.log(
      `${limiter}, budget ${configured ?? "learnt"}, Retry-After ${retryAfter}: accepted ${(accepted.length / MINUTES / 60).toFixed(2)}/s, ` +
        `least in 30 s ${in30.toFixed(2)}, in 10 s ${in10.toFixed(2)}; refused ${((refused.length / reads.length) * 100).toFixed(1)} %; ` +
        `Get p99 ${slow} ms, ${calls.filter(({ code }) => code !== undefined).length} of ${calls.length} refused; lag p50 ${lag[0]} s, p95 ${lag[1]} s`,
    );
    expect(refused.length).toBeLessThanOrEqual(reads.length * 0.1);
    if (retryAfter >= LONG_PAUSE_MS) {
      expect(accepted.length / MINUTES / 60).toBeGreaterThanOrEqual(0.6 * LIMIT);
      expect(refused.length).toBeLessThanOrEqual(10);
    } else {
      expect(in30).toBeGreaterThanOrEqual(0.8 * LIMIT);
      expect(in10).toBeGreaterThanOrEqual(0.6 * LIMIT);
    }
    if (configured) {
      expect(accepted.length / MINUTES / 60).toBeGreaterThanOrEqual(0.95 * LIMIT);
      expect(reads.length / MINUTES / 60).toBeLessThanOrEqual(1.05 * LIMIT);
      expect(slow).toBeLessThan(1_000);
    }
    // Interactive reads ("x") go on during a pause; polls do not.
    const polls = reads.filter(({ name }) => !name.includes("/datasets/x/"));
    for (const one of refused) {
      const told = one.arrived + 30;
      const early = polls.filter(({ at }) => at > told && at < one.arrived + retryAfter);
      expect(early, `nothing is polled after the 429 of ${one.arrived} before its Retry-After`).toEqual([]);
    }
  },
  60_000,
);

/** The lowest rate of any window that lies in the run. */
function leastRate(moments: readonly number[], windowMs: number, from: number): number {
  let least = Number.POSITIVE_INFINITY;
  const sorted = [...moments].sort((a, b) => a - b);
  let first = 0;
  let next = 0;
  for (let start = from; start + windowMs <= END; start += 500) {
    while (sorted[first]! < start) first++;
    while (sorted[next]! < start + windowMs) next++;
    least = Math.min(least, ((next - first) * 1000) / windowMs);
  }
  return least;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
}
