import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import {
  OperationWatcher,
  CancelAndWaitResponse_OutcomeSchema as Outcomes,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { type CancelAnswer, failure, LyingUpstream, type TrueOperation } from "../support/lying-upstream.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/**
 * CancelAndWait through sockets, against an upstream with a truth of its own. The simulation runs each race a thousand
 * times under simulated time; here are the sockets, the HTTP client and its timing.
 */

vi.setConfig({ testTimeout: 60_000 });

/** Runs of each race, all at the same time. */
const RUNS = 16;

interface Race {
  /** What becomes of the `nth` cancel; the operation may be given its end here. */
  readonly cancel?: (operation: TrueOperation, nth: number, random: SeededRandom) => CancelAnswer;
  readonly durationMs?: number;
  readonly missing?: boolean;
  /** The status of the call, where there is no outcome. */
  readonly refused?: Code;
  /** POSTs that arrive if reads are honest. */
  readonly posts: number;
  /** Whether reads that hide or do not know yet that a cancel was requested let another POST come. */
  readonly mayRepeat?: boolean;
  /** The first POST decides, and callers may be answered before others have come. */
  readonly atOnce?: boolean;
}

const HOUR = 3_600_000;

/** Ends the operation soon after its first cancel has arrived. */
function endSoon(operation: TrueOperation, nth: number, random: SeededRandom): void {
  if (nth === 1) operation.endsAt = Date.now() + random.between(20, 1_200);
}

const SOME_500 = { status: 500, body: failure(500, "INTERNAL", "internal error") };

const races: Readonly<Record<string, Race>> = {
  "accepted, then cancelled": { posts: 1 },
  "accepted, completes despite it": {
    cancel: (operation, nth, random) => {
      endSoon(operation, nth, random);
      return {};
    },
    posts: 1,
  },
  "done already": { durationMs: -2_000, posts: 1, atOnce: true },
  "applied, the answer lost": {
    cancel: (_operation, nth) => (nth === 1 ? { instead: "reset" } : {}),
    posts: 1,
    mayRepeat: true,
  },
  "lost on the way": {
    cancel: (operation, nth, random) => {
      if (random.chance(0.3)) endSoon(operation, nth, random);
      return nth === 1 ? { applied: false, instead: "reset" } : {};
    },
    // The second one is not sent when the operation has ended meanwhile.
    posts: 2,
    mayRepeat: true,
  },
  "no such operation": { missing: true, posts: 1, atOnce: true },
  "refused while it runs": {
    cancel: () => ({
      applied: false,
      instead: { status: 400, body: failure(400, "INVALID_ARGUMENT", "cannot be cancelled") },
    }),
    refused: Code.InvalidArgument,
    posts: 1,
    atOnce: true,
  },
  "answered slowly": {
    cancel: (operation, nth, random) => {
      if (random.chance(0.5)) endSoon(operation, nth, random);
      return { delayMs: random.between(500, 2_500) };
    },
    posts: 1,
  },
  "answered 500 though applied": {
    cancel: (operation, nth, random) => {
      if (random.chance(0.5)) endSoon(operation, nth, random);
      return nth === 1 ? { instead: SOME_500 } : {};
    },
    posts: 1,
    mayRepeat: true,
  },
};

interface Run {
  readonly race: Race;
  readonly name: string;
  readonly random: SeededRandom;
  /** Reads hide that a cancel was requested. */
  readonly hides: boolean;
  /** Some reads show the state of half a second ago. */
  readonly lags: boolean;
}

const runs = new Map<string, Run>();
let upstream: LyingUpstream;
let gateway: RunningGateway;
let transports: Transport[];

beforeAll(async () => {
  upstream = await LyingUpstream.start({
    cancel: (operation, nth) => {
      const run = runs.get(operation.name);
      return run?.race.cancel?.(operation, nth, run.random) ?? {};
    },
    hidesCancel: ({ name }) => runs.get(name)?.hides ?? false,
    cancelEffect: ({ name }) => runs.get(name)?.random.between(0, 1_500) ?? 0,
    lag: (_, { name }) => {
      const run = runs.get(name);
      return run?.lags && run.random.chance(0.5) ? 500 : 0;
    },
  });
  gateway = await startTestGateway(upstream.endpoint, { "drain.timeout": "1s" });
  const baseUrl = `http://${gateway.address}`;
  transports = [
    createGrpcTransport({ baseUrl }),
    createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    createConnectTransport({ baseUrl, httpVersion: "2" }),
  ];
  // Their connections are there before callers of one operation are to come together.
  const name = "projects/p/locations/l/datasets/d/operations/none";
  for (const transport of transports) await createClient(OperationWatcher, transport).cancelAndWait({ name });
});
afterAll(async () => {
  await gateway.drain();
  await upstream.close();
});

/** Makes one run; every third one is asked for by three callers at once. */
async function make(run: Run, seed: number): Promise<string[]> {
  const { race, name, random } = run;
  runs.set(name, run);
  if (!race.missing) {
    const ending = random.pick(["response", "error"] as const);
    upstream.begin(name, race.durationMs ?? HOUR, ending, 10_000);
  }
  const callers = seed % 3 === 0 ? 3 : 1;
  const answers = Array.from({ length: callers }, async (_, n) => {
    const client = createClient(OperationWatcher, transports[(seed + n) % transports.length]!);
    try {
      const { outcome } = await client.cancelAndWait({ name }, { timeoutMs: 50_000 });
      return Outcomes.value[outcome]?.name ?? "";
    } catch (error) {
      return Code[ConnectError.from(error).code];
    }
  });
  return await Promise.all(answers);
}

/** What is true of it. */
function truth({ race, name }: Run): string {
  if (race.refused !== undefined) return Code[race.refused];
  const operation = upstream.operations.get(name);
  if (!operation) return "NOT_FOUND";
  const first = upstream.asked("cancel", name)[0]?.at ?? Number.NaN;
  if (upstream.endOf(operation) <= first) return "ALREADY_DONE";
  if (upstream.wasCancelled(operation)) return "CANCELLED";
  return operation.ending === "error" ? "FAILED" : "COMPLETED";
}

it.concurrent.each(Object.entries(races))(
  `%s: ${RUNS} runs, and the outcome is the truth of the upstream each time`,
  async (title, race) => {
    const all = Array.from({ length: RUNS }, async (_, n) => {
      const seed = n + 1;
      const name = `projects/p/locations/l${seed}/datasets/d${seed}/operations/${title.replace(/\W/g, "")}`;
      const run = { race, name, random: new SeededRandom(seed), hides: seed % 4 === 0, lags: seed % 4 === 1 };
      const said = await make(run, seed);
      const posts = upstream.asked("cancel", name);
      expect(new Set(said), `seed ${seed}`).toEqual(new Set([truth(run)]));
      const honest = !run.hides && !run.lags;
      // One that has ended after a lost POST needs no second one.
      const least = race.mayRepeat && said[0] !== "CANCELLED" ? 1 : race.posts;
      expect(posts.length, `seed ${seed}`).toBeGreaterThanOrEqual(least);
      // Whoever comes when the first is answered already makes a POST of his own.
      const most = race.atOnce ? race.posts * said.length : race.posts;
      if (honest || !race.mayRepeat) expect(posts.length, `seed ${seed}`).toBeLessThanOrEqual(most);
      if (race.atOnce) return;
      // A read comes before any POST but the first.
      const reads = upstream.asked("get", name);
      for (const [at, post] of posts.slice(1).entries())
        expect(
          reads.some((read) => read.at >= posts[at]!.at && read.at <= post.at),
          `seed ${seed}`,
        ).toBe(true);
    });
    await Promise.all(all);
  },
);
