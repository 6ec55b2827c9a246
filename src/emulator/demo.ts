import { OPERATION_KINDS, type OperationKind } from "./kinds.ts";
import { endOf, isDone, type OperationRecord } from "./operation.ts";
import { createRecord, DEMO_DATASET, type OperationSpec } from "./operation-spec.ts";
import type { Outcome } from "./outcome.ts";
import { integerBetween, type Random } from "./random.ts";
import { RETENTION_MS, type Store } from "./store.ts";

/** Running operations that always have {@link LONG_TO_GO_MS} or more to go. Twelve are promised; two are in reserve. */
const RUNNING = 14;

/** A running operation counts towards {@link RUNNING} while it has so long to go: the promised two minutes, and room for
 * a slow reader. */
const LONG_TO_GO_MS = 150_000;

/** How long a demo operation takes: from a coffee to a lunch, so that a visitor sees progress and some ends. */
const SHORTEST_MS = 6 * 60_000;
const LONGEST_MS = 40 * 60_000;

/** A cancelled demo operation ends after so long: within one to three seconds, whatever the clock of the reader. */
const CANCEL_DELAY_MS = { low: 1_200, high: 2_600 };

/** Finished operations that are kept for each outcome however old they are, so that none is ever missing. */
const KEPT_PER_OUTCOME = 2;

/** Every finished operation is kept so long, so that whoever waits for it sees its end. */
const KEPT_MS = 30 * 60_000;

/** Operations that visitors cancelled are kept up to this number, whatever their age: a load test cancels thousands. */
const KEPT_CANCELLED = 2_000;

/** Ends in turn, so that each is among the finished at any time. Messages are of the kind that Healthcare writes. */
const OUTCOMES: readonly Outcome[] = [
  { type: "success" },
  { type: "partial" },
  {
    type: "error",
    code: 7,
    message: "The Cloud Healthcare service agent lacks storage.objects.get on gs://demo-bucket.",
  },
  { type: "success" },
  { type: "empty" },
  {
    type: "error",
    code: 3,
    message: "No file matches gs://demo-bucket/import/*.ndjson.",
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        fieldViolations: [{ field: "gcs_source.uri", description: "The pattern matches no object." }],
      },
    ],
  },
  { type: "success" },
  { type: "nothing" },
  {
    type: "error",
    code: 8,
    message: "Quota exceeded for fhir_store_lro_ops.",
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "RATE_LIMIT_EXCEEDED",
        domain: "googleapis.com",
        metadata: {
          service: "healthcare.googleapis.com",
          quota_metric: "healthcare.googleapis.com/fhir_store_lro_ops",
        },
      },
    ],
  },
  { type: "cancelled" },
  { type: "error", code: 13, message: "Internal error encountered." },
];

/** Keeps the demo dataset populated. */
export interface Demo {
  /** Brings the dataset up to the moment `now`: starts what had to start since, drops what is finished and old. */
  advance(now: number): void;
}

/**
 * Fills the demo dataset and keeps it full: at any instant at least twelve running operations of different kinds and
 * ages with two minutes or more to go, and finished ones of every outcome.
 *
 * Nothing ticks: {@link Demo.advance}, called before each request, replays what happened since the last one. An
 * operation begins in the moment in which another comes near its end, or is cancelled.
 */
export function createDemo(store: Store, random: Random, now: number): Demo {
  let operations: OperationRecord[] = [];
  let counting: OperationRecord[] = [];
  let started = 0;
  let advancedTo = now;

  function start(at: number, durationMs: number, ageMs: number): OperationRecord {
    const operation = createRecord({ ...demoSpec(started++, random), durationMs, ageMs }, at, random);
    store.add(operation);
    operations.push(operation);
    return operation;
  }

  function seed(at: number): void {
    for (let index = 0; index < OUTCOMES.length; index++) {
      const durationMs = duration(random);
      start(at, durationMs, durationMs + (index + 1) * 7 * 60_000);
    }
    for (let index = 0; index < RUNNING; index++) {
      const durationMs = duration(random);
      counting.push(start(at, durationMs, Math.floor(((durationMs - LONG_TO_GO_MS) * index) / RUNNING)));
    }
  }

  function clear(): void {
    for (const operation of operations) store.remove(operation.name);
    operations = [];
    counting = [];
  }

  /** Starts an operation in each moment up to `to` in which another ceased to count. */
  function replaceUntil(to: number): void {
    while (counting.length < RUNNING) counting.push(start(to, duration(random), 0));
    for (;;) {
      const first = counting.reduce((a, b) => (countsUntil(b) < countsUntil(a) ? b : a));
      const at = countsUntil(first);
      if (at > to) return;
      counting = counting.filter((operation) => operation !== first);
      counting.push(start(Math.max(at, advancedTo), duration(random), 0));
    }
  }

  function prune(at: number): void {
    const dropped = new Set(droppable(operations, at));
    for (const operation of dropped) store.remove(operation.name);
    operations = operations.filter((operation) => !dropped.has(operation));
  }

  seed(now);
  return {
    advance(to) {
      if (to - advancedTo > RETENTION_MS) {
        clear();
        seed(to);
      }
      counting = counting.filter((operation) => store.find(operation.name, to) !== undefined);
      const isStale = counting.length < RUNNING || counting.some((operation) => countsUntil(operation) <= to);
      if (isStale) {
        replaceUntil(to);
        prune(to);
      }
      advancedTo = Math.max(advancedTo, to);
    },
  };
}

/** Kind, version and outcome of the demo's `index`th operation; neighbours differ in all of them. */
function demoSpec(index: number, random: Random): OperationSpec {
  const outcome = OUTCOMES[index % OUTCOMES.length] ?? { type: "success" };
  // 5 and 28 have no common divisor, so that each kind has its turn before one comes again.
  let turn = index * 5;
  while (!canShow(OPERATION_KINDS[turn % OPERATION_KINDS.length], outcome)) turn++;
  const kind = OPERATION_KINDS[turn % OPERATION_KINDS.length];
  return {
    dataset: DEMO_DATASET,
    kind: kind?.name,
    version: kind?.versions[index % kind.versions.length],
    outcome,
    cancelDelayMs: integerBetween(random, CANCEL_DELAY_MS.low, CANCEL_DELAY_MS.high),
    units: integerBetween(random, 500, 250_000),
  };
}

/** A success is to show a response of its own type, a success in part a counter with failures. */
function canShow(kind: OperationKind | undefined, outcome: Outcome): boolean {
  if (outcome.type !== "success" && outcome.type !== "partial") return true;
  return kind?.response !== undefined && (outcome.type === "success" || kind.counters !== "none");
}

function duration(random: Random): number {
  return integerBetween(random, SHORTEST_MS, LONGEST_MS);
}

/** The moment in which an operation is near its end, or somebody cancels it. */
function countsUntil(operation: OperationRecord): number {
  return Math.min(
    operation.cancelRequestedAt ?? Number.POSITIVE_INFINITY,
    operation.createdAt + operation.duration - LONG_TO_GO_MS,
  );
}

/** Finished operations that nobody can still be waiting for and whose outcome newer ones show. */
function droppable(operations: readonly OperationRecord[], at: number): OperationRecord[] {
  const groups = new Map<string, OperationRecord[]>();
  for (const operation of operations) {
    if (!isDone(operation, at)) continue;
    const { outcome } = operation;
    const key = endOf(operation).cancelled
      ? "by a visitor"
      : outcome.type + (outcome.type === "error" ? outcome.code : "");
    const group = groups.get(key) ?? [];
    group.push(operation);
    groups.set(key, group);
  }
  return [...groups].flatMap(([key, group]) => {
    const newestEnd = group.sort((a, b) => endOf(b).at - endOf(a).at);
    const most = key === "by a visitor" ? KEPT_CANCELLED : Number.POSITIVE_INFINITY;
    return newestEnd.filter(
      (operation, index) =>
        index >= most || (index >= KEPT_PER_OUTCOME && endOf(operation).at < at - KEPT_MS),
    );
  });
}
