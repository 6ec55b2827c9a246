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

/**
 * Operations end in the order in which they began, one to three minutes apart, so that the first ones of a list, which
 * are the newest, are those with the most time to go. Each takes between these two durations all the same.
 */
const GAP_MS = { low: 60_000, high: 180_000 };
const SHORTEST_MS = 6 * 60_000;
const LONGEST_MS = 60 * 60_000;

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
    message: "Too many operations run in this project and location.",
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "RESOURCE_QUOTA_EXCEEDED",
        domain: "googleapis.com",
        metadata: { service: "healthcare.googleapis.com", consumer: "projects/demo" },
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
  const state: DemoState = { store, random, operations: [], counting: [], started: 0, advancedTo: now };
  seed(state, now);
  return { advance: (to) => advance(state, to) };
}

interface DemoState {
  readonly store: Store;
  readonly random: Random;
  /** Everything in the dataset that the demo put there. */
  operations: OperationRecord[];
  /** The running ones that have a long time to go. */
  counting: OperationRecord[];
  /** How many operations it has started so far. */
  started: number;
  advancedTo: number;
}

function seed(state: DemoState, at: number): void {
  const { random } = state;
  for (let index = 0; index < OUTCOMES.length; index++) {
    const durationMs = integerBetween(random, SHORTEST_MS, LONGEST_MS);
    add(state, at, durationMs, durationMs + (index + 1) * 7 * 60_000);
  }
  for (let left = RUNNING; left > 0; left--) {
    startRunning(state, at, left * GAP_MS.high - integerBetween(random, 0, GAP_MS.low));
  }
}

function advance(state: DemoState, to: number): void {
  const { store } = state;
  if (to - state.advancedTo > RETENTION_MS) {
    for (const operation of state.operations) store.remove(operation.name);
    state.operations = [];
    state.counting = [];
    seed(state, to);
  }
  state.counting = state.counting.filter((operation) => store.find(operation.name, to) !== undefined);
  const isFull = state.counting.length === RUNNING;
  if (!isFull || state.counting.some((operation) => countsUntil(operation) <= to)) {
    replaceUntil(state, to);
    const dropped = new Set(droppable(state.operations, to));
    for (const operation of dropped) store.remove(operation.name);
    state.operations = state.operations.filter((operation) => !dropped.has(operation));
  }
  state.advancedTo = Math.max(state.advancedTo, to);
}

/** Starts an operation in each moment up to `to` in which another ceased to count. */
function replaceUntil(state: DemoState, to: number): void {
  for (;;) {
    const first = state.counting.toSorted((a, b) => countsUntil(a) - countsUntil(b))[0];
    if (!first || countsUntil(first) > to) break;
    state.counting = state.counting.filter((operation) => operation !== first);
    startRunning(state, Math.max(countsUntil(first), state.advancedTo));
  }
  // Somebody removed one through the control endpoint.
  while (state.counting.length < RUNNING) startRunning(state, to);
}

function startRunning(state: DemoState, at: number, ageMs = 0): void {
  const latest = Math.max(at, ...state.counting.map(plannedEnd));
  const next = latest + integerBetween(state.random, GAP_MS.low, GAP_MS.high);
  const end = Math.min(Math.max(next, at + SHORTEST_MS), at + LONGEST_MS);
  state.counting.push(add(state, at, end - at + ageMs, ageMs));
}

function add(state: DemoState, at: number, durationMs: number, ageMs: number): OperationRecord {
  const spec = { ...demoSpec(state.started++, state.random), durationMs, ageMs };
  const operation = createRecord(spec, at, state.random);
  state.store.add(operation);
  state.operations.push(operation);
  return operation;
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

/** The moment in which an operation is near its end, or somebody cancels it. */
function countsUntil(operation: OperationRecord): number {
  return Math.min(
    operation.cancelRequestedAt ?? Number.POSITIVE_INFINITY,
    plannedEnd(operation) - LONG_TO_GO_MS,
  );
}

function plannedEnd(operation: OperationRecord): number {
  return operation.createdAt + operation.duration;
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
