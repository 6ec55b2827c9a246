import { CODE_NAMES } from "../lib/code-names.ts";
import { type ObjectReader, readObject } from "./input.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import { API_VERSIONS, type ApiVersion, findKind } from "./kinds.ts";
import type { OperationRecord } from "./operation.ts";
import type { Outcome } from "./outcome.ts";
import { operationId, type Random } from "./random.ts";

/** What may be asked of a new operation; everything has a default. The control endpoint takes the same keys. */
export interface OperationSpec {
  /** `projects/P/locations/L/datasets/D`; made where it does not exist. Default: the demo dataset. */
  readonly dataset?: string | undefined;
  /** One of the kinds in docs/emulator.md. Default `fhirStores.import`. */
  readonly kind?: string | undefined;
  /** Version of the method that started it. Default: `v1`, where the kind exists in it. */
  readonly version?: ApiVersion | undefined;
  /** Last segment of the name. Default: a large random number. */
  readonly id?: string | undefined;
  /** Milliseconds of work, from its creation; `null`: it never ends by itself. Default 60,000. */
  readonly durationMs?: number | null | undefined;
  /** How long ago it was created, in milliseconds. With an age above the duration it is finished already. Default 0. */
  readonly ageMs?: number | undefined;
  /** How it ends. Default `{"type": "success"}`; the type alone may stand as a string. */
  readonly outcome?: Outcome | Outcome["type"] | undefined;
  /** `cancel` (default): an accepted cancellation ends it with code 1. `complete`: it completes as planned all the same. */
  readonly onCancel?: "cancel" | "complete" | undefined;
  /** Milliseconds from the accepted cancellation to the end. Default 1,000. */
  readonly cancelDelayMs?: number | undefined;
  /** Units of work for the counters. Default 10,000. */
  readonly units?: number | undefined;
  /** Laid over the metadata; a field with `null` is removed. */
  readonly metadata?: JsonObject | undefined;
}

/** The dataset that the demo fills and that operations go to by default. */
export const DEMO_DATASET = "projects/demo/locations/us-central1/datasets/demo";

const DATASET_NAME = /^projects\/[^/]+\/locations\/[^/]+\/datasets\/[^/]+$/u;

/** Returns a dataset name that has the right form. Throws a RangeError that shows the form otherwise. */
export function checkDatasetName(name: string): string {
  if (DATASET_NAME.test(name)) return name;
  throw new RangeError(
    `dataset must look like projects/P/locations/L/datasets/D, got ${JSON.stringify(name)}`,
  );
}

/**
 * Makes the record of an operation created `ageMs` before `now`.
 *
 * Throws a RangeError that names the key and what is allowed when the spec makes no sense.
 */
export function createRecord(spec: OperationSpec, now: number, random: Random): OperationRecord {
  const dataset = checkDatasetName(spec.dataset ?? DEMO_DATASET);
  const kind = findKind(spec.kind ?? "fhirStores.import");
  if (!kind)
    throw new RangeError(`kind ${JSON.stringify(spec.kind)} is unknown; see docs/emulator.md for the list`);
  const version = spec.version ?? kind.versions[0] ?? "v1";
  if (!kind.versions.includes(version)) {
    throw new RangeError(`kind ${kind.name} exists in ${kind.versions.join(", ")} only, not in ${version}`);
  }
  const id = spec.id ?? operationId(random);
  if (id === "" || id.includes("/"))
    throw new RangeError(`id must be one path segment, got ${JSON.stringify(id)}`);
  const outcome = checkOutcome(spec.outcome ?? "success");
  const createdAt = now - nonNegative("ageMs", spec.ageMs ?? 0);
  const duration =
    spec.durationMs === null
      ? Number.POSITIVE_INFINITY
      : nonNegative("durationMs", spec.durationMs ?? 60_000);
  const cancelDelay = nonNegative("cancelDelayMs", spec.cancelDelayMs ?? 1_000);
  return {
    name: `${dataset}/operations/${id}`,
    dataset,
    id,
    kind,
    version,
    createdAt,
    duration,
    outcome,
    onCancel: oneOf("onCancel", spec.onCancel ?? "cancel", ["cancel", "complete"]),
    cancelDelay,
    units: Math.floor(nonNegative("units", spec.units ?? 10_000)),
    metadata: spec.metadata && withoutNulls(spec.metadata),
    cancelRequestedAt:
      outcome.type === "cancelled" ? Math.max(createdAt, createdAt + duration - cancelDelay) : undefined,
  };
}

/**
 * Reads a spec in the form of the control endpoint, e.g. `{"kind": "dicomStores.export", "durationMs": 5000}`.
 *
 * Throws a RangeError that names a wrong key and what is allowed.
 */
export function readOperationSpec(value: Json): OperationSpec {
  const input = readObject(value, "operation");
  const metadata = input.json("metadata");
  if (metadata !== undefined && !isJsonObject(metadata))
    throw new RangeError("operation.metadata must be a JSON object");
  const spec: OperationSpec = {
    dataset: input.string("dataset"),
    kind: input.string("kind"),
    version: input.oneOf("version", API_VERSIONS),
    id: input.string("id"),
    durationMs: input.json("durationMs") === null ? null : input.number("durationMs"),
    ageMs: input.number("ageMs"),
    outcome: readOutcome(input),
    onCancel: input.oneOf("onCancel", ["cancel", "complete"]),
    cancelDelayMs: input.number("cancelDelayMs"),
    units: input.number("units"),
    metadata,
  };
  input.end();
  return spec;
}

/** Reads the key `outcome`: a type alone, or an object with what belongs to the type. */
export function readOutcome(input: ObjectReader): Outcome | undefined {
  if (typeof input.json("outcome") === "string") {
    const type = input.oneOf("outcome", OUTCOME_TYPES);
    return type && checkOutcome(type);
  }
  const given = input.object("outcome");
  const type = given?.oneOf("type", OUTCOME_TYPES);
  if (!given) return undefined;
  if (!type) throw new RangeError(`outcome.type must be one of ${OUTCOME_TYPES.join(", ")}`);
  const outcome = type === "error" ? readError(given) : type === "success" ? readSuccess(given) : { type };
  given.end();
  return checkOutcome(outcome);
}

function readError(given: ObjectReader): Outcome {
  const details = given.json("details");
  if (details !== undefined && !(Array.isArray(details) && details.every(isJsonObject))) {
    throw new RangeError("outcome.details must be a list of objects");
  }
  return {
    type: "error",
    code: given.number("code", 1) ?? 13,
    message: given.string("message") ?? "Internal error encountered.",
    details,
  };
}

function readSuccess(given: ObjectReader): Outcome {
  const response = given.json("response");
  if (response !== undefined && !isJsonObject(response))
    throw new RangeError("outcome.response must be a JSON object");
  return { type: "success", response };
}

const OUTCOME_TYPES = ["success", "partial", "empty", "error", "nothing", "cancelled"] as const;

/** Completes an outcome that is its type alone, and checks the rest. */
export function checkOutcome(outcome: Outcome | Outcome["type"]): Outcome {
  if (typeof outcome === "string") {
    const type = oneOf("outcome", outcome, OUTCOME_TYPES);
    return type === "error" ? { type, code: 13, message: "Internal error encountered." } : { type };
  }
  oneOf("outcome.type", outcome.type, OUTCOME_TYPES);
  if (outcome.type === "error" && !(outcome.code >= 1 && outcome.code < CODE_NAMES.length)) {
    throw new RangeError(`outcome.code must be a google.rpc code from 1 to 16, got ${String(outcome.code)}`);
  }
  return outcome;
}

function nonNegative(key: string, value: number): number {
  if (!(typeof value === "number" && value >= 0)) {
    throw new RangeError(`${key} must be a number of 0 or more, got ${JSON.stringify(value)}`);
  }
  return value;
}

function oneOf<T extends string>(key: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) {
    throw new RangeError(`${key} must be one of ${allowed.join(", ")}, got ${JSON.stringify(value)}`);
  }
  return value;
}

function withoutNulls(fields: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value === null ? undefined : value]),
  );
}
