import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { CancelAndWaitResponse_Outcome as Outcome } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import type { OperationSpec } from "../../src/emulator/operation-spec.ts";
import { isEncoded } from "../../src/lib/encoded.ts";
import { cancelAndWait } from "../../src/waiting/cancel/cancel-and-wait.ts";
import { WaitingEngine } from "../../src/waiting/engine.ts";
import { emulatorApi, outcomeOf } from "../support/emulator-api.ts";
import { DEFAULTS } from "../support/engine-bench.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { TestCall } from "../support/test-call.ts";

/** Runs of each race; `npm run simulation` asks for a thousand of each. */
const RUNS = Number(process.env["SIMULATION_RUNS"] ?? 40);

const DATASET = "projects/p/locations/l/datasets/d";
const NAME = `${DATASET}/operations/1`;

interface Race {
  readonly spec: (random: SeededRandom) => OperationSpec;
  readonly prepare?: (emulator: Emulator, random: SeededRandom) => void;
  readonly missing?: boolean;
  readonly refused?: Code;
}

const cancels = { match: { method: "cancel" as const } };
const longOne = (random: SeededRandom): OperationSpec => ({
  durationMs: random.between(60_000, 600_000),
  cancelDelayMs: random.between(0, 3_000),
});
const outcomes = ["success", "partial", "empty", "error", "nothing"] as const;
const soonOver = (random: SeededRandom): OperationSpec => ({
  durationMs: Math.round(random.between(10, 2_000)),
  outcome: random.pick(outcomes),
  cancelDelayMs: Math.round(random.between(0, 3_000)),
});

const races: Record<string, Race> = {
  "accepted, then cancelled": { spec: longOne },
  "accepted, completes despite it": { spec: (random) => ({ ...soonOver(random), onCancel: "complete" }) },
  "done already": {
    spec: (random) => ({ ageMs: 60_000, durationMs: 30_000, outcome: random.pick(outcomes) }),
  },
  "applied, the answer lost": {
    spec: longOne,
    prepare: (emulator) => emulator.addFault({ ...cancels, times: 1, delivery: { reset: "before-headers" } }),
  },
  "lost on the way": {
    spec: (random) => ({ ...soonOver(random), durationMs: Math.round(random.between(10, 20_000)) }),
    prepare: (emulator, random) =>
      emulator.addFault({
        ...cancels,
        times: 1 + random.below(3),
        apply: false,
        delivery: { reset: "before-headers" },
      }),
  },
  "no such operation": { spec: longOne, missing: true },
  "refused while it runs": {
    spec: longOne,
    prepare: (emulator) =>
      emulator.addFault({
        ...cancels,
        answer: { status: 400, code: "FAILED_PRECONDITION", message: "not in this phase" },
      }),
    refused: Code.FailedPrecondition,
  },
  "slower than the gateway waits": {
    spec: longOne,
    prepare: (emulator, random) =>
      emulator.addFault({ ...cancels, times: 1, answerDelayMs: random.between(15_000, 60_000) }),
  },
  "answered 500 though applied": {
    spec: soonOver,
    prepare: (emulator) => emulator.addFault({ ...cancels, times: 1, apply: true, answer: { status: 500 } }),
  },
};

test.each(Object.entries(races))(
  `%s: ${RUNS} runs against the emulator, and the outcome is its truth each time`,
  async (_name, race) => {
    const counts = new Map<string, number>();
    for (let seed = 1; seed <= RUNS; seed++) {
      const random = new SeededRandom(seed);
      const clock = new SimulatedClock();
      const latency = () => Math.round(random.between(1, 40));
      const { emulator, api } = emulatorApi(clock, { latency });
      const engine = new WaitingEngine({
        api,
        clock,
        random: random.next,
        config: DEFAULTS,
        credentials: "none",
      });
      if (race.missing) emulator.createDataset(DATASET);
      else emulator.createOperation({ dataset: DATASET, id: "1", ...race.spec(random) });
      race.prepare?.(emulator, random);
      if (seed % 3 === 1) emulator.configure({ readLagMs: Math.round(random.between(0, 3_000)) });
      if (seed % 3 === 2)
        emulator.addFault({ match: { method: "get" }, probability: 0.3, answer: { status: 503 } });

      const answer = await clock.run(
        outcomeOf(cancelAndWait(engine, NAME, undefined, new TestCall())),
        3_600_000,
      );
      const said = answer instanceof ConnectError ? answer : isEncoded(answer) ? answer.toMessage() : answer;
      const key = said instanceof ConnectError ? Code[said.code] : nameOf(said.outcome);
      counts.set(key, (counts.get(key) ?? 0) + 1);
      expect(key, `seed ${seed}`).toBe(race.refused === undefined ? truth(emulator) : Code[race.refused]);
      expect(engine.stats, `seed ${seed}`).toMatchObject({ watches: 0, operations: 0, reads: 0, cancels: 0 });
    }
    console.log(_name, Object.fromEntries(counts));
  },
);

/** What became of the cancel, by the emulator's own records. */
function truth(emulator: Emulator): string {
  const operation = emulator.operation(NAME) as
    | { done?: boolean; error?: { code: number }; metadata: { endTime?: string } }
    | undefined;
  if (!operation) return "NOT_FOUND";
  const posts = emulator.requests.entries().filter(({ method }) => method === "cancel");
  if (!operation.done) return "UNFINISHED";
  const first = posts[0]!;
  if (first.status === 400 || Date.parse(operation.metadata.endTime!) < first.receivedAt - 40)
    return "ALREADY_DONE";
  if (operation.error?.code === 1) return "CANCELLED";
  return operation.error ? "FAILED" : "COMPLETED";
}

function nameOf(outcome: Outcome): string {
  return Object.keys(Outcome).find((name) => Outcome[name as keyof typeof Outcome] === outcome) ?? "";
}
