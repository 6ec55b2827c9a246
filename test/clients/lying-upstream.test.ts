import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServe } from "../support/cli-process.ts";
import { failure, LyingUpstream } from "../support/lying-upstream.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { programsOf } from "./programs.ts";

/**
 * Google's own clients of four languages wait for the same operations at the same time, before an upstream that lies: by
 * WaitOperation, and by their polling helpers. All must end the same way. Requests are counted at the upstream.
 */
const CLIENTS = programsOf("waits");

const DATASET = "projects/p/locations/l/datasets/d";
const SEED = 17;

/** Longer than Java's client gives a single call, 10 s. */
const LONG_MS = 14_000;
const SHORT_MS = 8_000;

const operation = (id: string): string => `${DATASET}/operations/${id}`;
/** Each language cancels its own. */
const cancelledBy = (language: string): string => operation(`cancelled-${language}`);
const SHARED = ["waited-ok", "waited-failing", "polled-ok", "polled-failing"].map(operation);
const [WAITED_OK, WAITED_FAILING, POLLED_OK, POLLED_FAILING] = SHARED as [string, string, string, string];

let upstream: LyingUpstream;
let gateway: Awaited<ReturnType<typeof startServe>>;
/** What each language's program printed. */
let ends: { language: string; seen: Record<string, unknown> }[];

beforeAll(async () => {
  const random = new SeededRandom(SEED);
  upstream = await LyingUpstream.start({
    // After the end, half of the reads are as it was before.
    lag: (_, { endsAt, cancelEndsAt = endsAt }) =>
      Date.now() > Math.min(endsAt, cancelEndsAt) && random.chance(0.5) ? 3_000 : 0,
    countersOff: () => -random.below(400),
    omits: ({ createdAt }) => Date.now() - createdAt < 5_000,
    cancel: () => ({ instead: { status: 500, body: failure(500, "INTERNAL", "internal error") } }),
    cancelEffect: () => 2_000,
  });
  gateway = await startServe([], {
    env: { LRO_GATEWAY_UPSTREAM_ENDPOINT: upstream.endpoint, LRO_GATEWAY_UPSTREAM_CREDENTIALS: "none" },
  });
  for (const name of [WAITED_OK, POLLED_OK]) upstream.begin(name, LONG_MS);
  for (const name of [WAITED_FAILING, POLLED_FAILING]) upstream.begin(name, SHORT_MS, "error");
  for (const { language } of CLIENTS) upstream.begin(cancelledBy(language), 3_600_000);
  ends = await Promise.all(
    CLIENTS.map(async ({ language, command: [file = "", ...args] }) => {
      const mine = cancelledBy(language);
      const waits = [WAITED_OK, WAITED_FAILING, mine].flatMap((name) => ["wait", name]);
      const polls = [POLLED_OK, POLLED_FAILING, mine].flatMap((name) => ["poll", name]);
      const all = [...args, gateway.address, mine, ...waits, ...polls];
      const { stdout } = await promisify(execFile)(file, all, { timeout: 90_000 });
      return { language, seen: JSON.parse(stdout) };
    }),
  );
}, 120_000);

afterAll(async () => {
  gateway.child.kill();
  await gateway.ended;
  await upstream.close();
});

test.each(CLIENTS)(
  "Google's $language client ends as the others do, by WaitOperation and by polling",
  ({ language }) => {
    const mine = cancelledBy(language);
    expect(ends.find((end) => end.language === language)?.seen).toEqual({
      [`wait ${WAITED_OK}`]: "OK",
      [`poll ${POLLED_OK}`]: "OK",
      [`wait ${WAITED_FAILING}`]: expect.objectContaining({ code: "INTERNAL" }),
      [`poll ${POLLED_FAILING}`]: expect.objectContaining({ code: "INTERNAL" }),
      [`wait ${mine}`]: expect.objectContaining({ code: "CANCELLED" }),
      [`poll ${mine}`]: expect.objectContaining({ code: "CANCELLED" }),
    });
  },
);

test("callers of WaitOperation in all languages together cost the reads of one poller", () => {
  for (const name of [WAITED_OK, WAITED_FAILING]) {
    const reads = upstream.asked("get", name);
    console.log(`${CLIENTS.length} callers of WaitOperation: ${reads.length} reads of ${name}`);
    // One a second at most, however young it is, and however often it is asked for.
    const seconds = (reads.at(-1)!.at - reads[0]!.at) / 1_000;
    expect(reads.length).toBeLessThanOrEqual(seconds + 2);
  }
});

test("once a read says done, nothing is asked again", () => {
  for (const name of [...SHARED, ...CLIENTS.map(({ language }) => cancelledBy(language))]) {
    const reads = upstream.asked("get", name).map(({ saysDone }) => saysDone);
    expect([name, reads]).toEqual([name, [...reads.slice(0, -1).map(() => false), true]]);
  }
});

test("a cancel that was answered 500, though applied, is one POST", () => {
  for (const { language } of CLIENTS) {
    expect(upstream.asked("cancel", cancelledBy(language))).toHaveLength(1);
    expect(upstream.wasCancelled(upstream.operations.get(cancelledBy(language))!)).toBe(true);
  }
});
