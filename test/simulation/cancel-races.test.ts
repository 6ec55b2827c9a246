import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { CancelAndWaitResponse_Outcome as Outcome } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { isEncoded } from "../../src/lib/encoded.ts";
import { cancelAndWait } from "../../src/waiting/cancel/cancel-and-wait.ts";
import { EngineBench, operationName } from "../support/engine-bench.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { Behaviour, Fault } from "../support/simulated-upstream.ts";

const NAME = operationName(1);

/**
 * Runs of each race; one in three has an upstream whose reads lag, one in three one whose reads fail.
 * A thousand in `npm run simulation`.
 */
const RUNS = Number(process.env["SIMULATION_RUNS"] ?? 50);

const HOUR = 3_600_000;

interface Race {
  /** When the operation ends by itself, after the cancel is sent. */
  readonly endsIn: (random: SeededRandom) => number;
  /** What comes in place of the answer to the nth POST. */
  readonly post?: (random: SeededRandom, nth: number) => { fault: Fault; applied?: boolean } | undefined;
  readonly latency?: (random: SeededRandom) => number;
  readonly missing?: boolean;
  /** The status that CancelAndWait must end with instead of an outcome. */
  readonly refused?: Code;
}

const REFUSAL = JSON.stringify({
  error: { code: 400, status: "INVALID_ARGUMENT", message: "this operation cannot be cancelled" },
});
const FAILURES: readonly Fault[] = [
  "reset",
  { status: 503 },
  { status: 502, body: "<html>" },
  { status: 504 },
];

const late = (random: SeededRandom) => random.between(60_000, 600_000);

const races: Record<string, Race> = {
  "accepted, then cancelled": { endsIn: late },
  "accepted, completes despite it": { endsIn: (random) => random.between(30, 1_500) },
  "done already": { endsIn: (random) => -random.between(1, 60_000) },
  "applied, the answer lost": {
    endsIn: late,
    post: (random, nth) => (nth === 1 ? { fault: random.pick(FAILURES), applied: true } : undefined),
  },
  "lost on the way": {
    endsIn: (random) => random.between(30, 20_000),
    post: (random, nth) => (nth <= 1 + random.below(3) ? { fault: random.pick(FAILURES) } : undefined),
  },
  "no such operation": { endsIn: late, missing: true },
  "refused while it runs": {
    endsIn: late,
    post: () => ({ fault: { status: 400, body: REFUSAL } }),
    refused: Code.InvalidArgument,
  },
  "slower than the gateway waits": { endsIn: late, latency: (random) => random.between(15_000, 45_000) },
  "answered 500 though applied": {
    endsIn: (random) => random.between(30, 20_000),
    post: (_random, nth) =>
      nth === 1
        ? { fault: { status: 500, body: '{"error":{"code":500,"status":"INTERNAL"}}' }, applied: true }
        : undefined,
  },
};

/** One run of a race; what CancelAndWait said, and what is true. */
async function run(race: Race, seed: number) {
  const random = new SeededRandom(seed);
  const { clock, engine, upstream, call } = new EngineBench({ seed });
  const readLag = seed % 3 === 1 ? random.between(0, 4_000) : 0;
  const readFaults = seed % 3 === 2 ? 0.3 : 0;
  const behaviour: Behaviour = {
    // Whose clock is right is not known: one run in four each ten minutes ahead and behind, and exact.
    ...(seed % 4 > 0 && { clockAhead: ((seed % 4) - 2) * 600_000 }),
    latency: (kind) => (kind === "cancel" && race.latency ? race.latency(random) : random.between(5, 80)),
    lag: () => readLag,
    cancelDelay: () => random.between(0, 3_000),
    fault: (kind, _name, nth) => {
      if (kind === "cancel") return race.post?.(random, nth);
      return kind === "get" && random.chance(readFaults) ? { fault: random.pick(FAILURES) } : undefined;
    },
  };
  upstream.behaviour = behaviour;
  await clock.advance(120_000);
  const ending = random.pick(["response", "error", "nothing"] as const);
  const operation = race.missing ? undefined : upstream.start(NAME, race.endsIn(random), ending, 90_000);
  const answer = await clock.run(
    cancelAndWait(engine, NAME, undefined, call()).catch((error) => ConnectError.from(error)),
    HOUR,
  );
  const said = answer instanceof ConnectError ? answer : isEncoded(answer) ? answer.toMessage() : answer;
  const posts = upstream.requests("cancel");
  let truth: Outcome = Outcome.NOT_FOUND;
  if (operation) {
    const end = upstream.endOf(operation);
    if (posts[0]!.status === 400 || end < posts[0]!.at) truth = Outcome.ALREADY_DONE;
    else if (upstream.wasCancelled(operation)) truth = Outcome.CANCELLED;
    else truth = ending === "error" ? Outcome.FAILED : Outcome.COMPLETED;
    if (!(said instanceof ConnectError) && !upstream.isDone(operation)) truth = Outcome.OUTCOME_UNSPECIFIED;
  }
  return { said, truth, posts, engine, clock };
}

test.each(Object.entries(races))(
  `%s: ${RUNS} runs, and the outcome is the truth each time`,
  async (_name, race) => {
    const outcomes = new Map<string, number>();
    for (let seed = 1; seed <= RUNS; seed++) {
      const { said, truth, posts, engine } = await run(race, seed);
      if (race.refused !== undefined) {
        expect(said, `seed ${seed}`).toBeInstanceOf(ConnectError);
        expect((said as ConnectError).code, `seed ${seed}`).toBe(race.refused);
      } else {
        expect(said, `seed ${seed}`).not.toBeInstanceOf(ConnectError);
        expect((said as { outcome: Outcome }).outcome, `seed ${seed}`).toBe(truth);
      }
      const key =
        said instanceof ConnectError
          ? Code[said.code]
          : Object.keys(Outcome).find((name) => Outcome[name as keyof typeof Outcome] === said.outcome);
      outcomes.set(
        `${key} after ${posts.length} POST${posts.length > 1 ? "s" : ""}`,
        (outcomes.get(`${key} after ${posts.length} POST${posts.length > 1 ? "s" : ""}`) ?? 0) + 1,
      );
      expect(engine.stats, `seed ${seed}`).toMatchObject({ watches: 0, operations: 0, reads: 0, cancels: 0 });
    }
    console.log(_name, Object.fromEntries(outcomes));
  },
);
