import type { Clock } from "../lib/clock.ts";
import type { EmulatorAnswer, EmulatorRequest } from "./exchange.ts";
import type { FaultSpec, Faults } from "./faults.ts";
import { createFhirOperation, type FhirOperationSpec } from "./fhir-operations.ts";
import { handleRequest } from "./handle-request.ts";
import type { Json, JsonObject } from "./json.ts";
import { endOf, type OperationRecord, operationJson } from "./operation.ts";
import { checkDatasetName, checkOutcome, createRecord, type OperationSpec } from "./operation-spec.ts";
import type { Outcome } from "./outcome.ts";
import type { RequestLog } from "./request-log.ts";
import { changeSettings, type Settings } from "./settings.ts";
import { createState, type EmulatorOptions, type State } from "./state.ts";

export type { EmulatorAnswer, EmulatorRequest } from "./exchange.ts";
export type { EmulatorOptions } from "./state.ts";

/** The Healthcare operations API in memory, without sockets: state, and requests in, answers out. */
export interface Emulator {
  readonly clock: Clock;
  /** Answers one request of the API; later, on the emulator's clock, where a fault delays it. */
  handle(request: EmulatorRequest): Promise<EmulatorAnswer>;

  /** Creates an operation and returns its name. Throws a RangeError that says what is wrong with the spec. */
  createOperation(spec?: OperationSpec): string;
  /** Ends a running operation now, with its planned outcome or another one. Throws a RangeError when it does not run. */
  finishOperation(name: string, outcome?: Outcome | Outcome["type"]): void;
  /** Forgets an operation, as if its 30 days were over. Returns whether there was one. */
  removeOperation(name: string): boolean;
  /** The truth about an operation now, whatever lag or fault its readers see; `undefined` when there is none. */
  operation(name: string): JsonObject | undefined;
  /** Creates a dataset without operations. Throws a RangeError where the name is malformed. */
  createDataset(name: string): void;
  /** Creates an operation of the `fhirStores.operations` sort, which is no google.longrunning.Operation. */
  createFhirOperation(spec: FhirOperationSpec): void;

  /** Injects a fault and returns its id. */
  addFault(spec: FaultSpec): number;
  readonly faults: Pick<Faults, "list" | "remove" | "clear">;
  readonly settings: Settings;
  /** Changes settings; the form is that of the control endpoint. Throws a RangeError that names a wrong key. */
  configure(change: Json): void;
  /** What was asked of it. Requests to the control endpoint are not in it. */
  readonly requests: Pick<RequestLog, "entries" | "counts" | "clear">;
  /** Back to the state in which it was created; operations, faults, settings and the request log are gone. */
  reset(): void;
}

/** Creates an {@link Emulator}. Throws a RangeError where a setting is wrong. */
export function createEmulator(options: EmulatorOptions): Emulator {
  const state = createState(options);
  const { clock, store } = state;
  return {
    clock,
    handle: (request) => handleRequest(state, request),
    createOperation(spec = {}) {
      const record = createRecord(spec, clock.now(), state.random);
      store.add(record);
      return record.name;
    },
    finishOperation: (name, outcome) => finish(findNow(state, name), name, outcome, clock.now()),
    removeOperation(name) {
      const exists = findNow(state, name) !== undefined;
      store.remove(name);
      return exists;
    },
    operation(name) {
      const record = findNow(state, name);
      // Printed and read, so that it is as a client would see it: without the fields that are undefined.
      return record && JSON.parse(JSON.stringify(operationJson(record, clock.now())));
    },
    createDataset: (name) => store.addDataset(checkDatasetName(name)),
    createFhirOperation(spec) {
      const operation = createFhirOperation(spec, clock.now());
      state.fhir.set(operation.name, operation);
    },
    addFault: (spec) => state.faults.add(spec, clock.monotonic()).id,
    faults: state.faults,
    get settings() {
      return state.settings;
    },
    configure(change) {
      state.settings = changeSettings(state.settings, change);
      state.limiter.clear();
    },
    requests: state.log,
    reset: state.reset,
  };
}

function findNow(state: State, name: string): OperationRecord | undefined {
  const now = state.clock.now();
  state.demo?.advance(now);
  return state.store.find(name, now);
}

function finish(
  record: OperationRecord | undefined,
  name: string,
  outcome: Outcome | Outcome["type"] | undefined,
  now: number,
): void {
  if (!record || endOf(record).at <= now) throw new RangeError(`operation ${name} does not run`);
  record.duration = now - record.createdAt;
  if (outcome !== undefined) record.outcome = checkOutcome(outcome);
  if ((record.cancelRequestedAt ?? 0) > now) record.cancelRequestedAt = undefined;
  if (record.outcome.type === "cancelled") record.cancelRequestedAt ??= now;
}
