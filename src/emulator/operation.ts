import { type JsonObject, typeUrl } from "./json.ts";
import type { ApiVersion, OperationKind } from "./kinds.ts";
import type { Outcome } from "./outcome.ts";
import { type Counter, counterAt, counterJson, int64 } from "./progress.ts";
import { timestamp } from "./timestamp.ts";

/**
 * An operation as a plan: when it began, how long it takes, how it ends. What it looks like at a moment follows from
 * the plan and the clock, so that nothing has to tick.
 *
 * Times are milliseconds since the Unix epoch.
 */
export interface OperationRecord {
  /** `projects/.../datasets/D/operations/ID`. */
  readonly name: string;
  readonly dataset: string;
  readonly id: string;
  readonly kind: OperationKind;
  /** Version of the method that started it; its types and method name are of this version for ever. */
  readonly version: ApiVersion;
  readonly createdAt: number;
  /** Milliseconds of work; `Infinity`: never ends by itself. */
  duration: number;
  outcome: Outcome;
  /** What an accepted cancellation does: end it as cancelled, or nothing (it completes as planned). */
  readonly onCancel: "cancel" | "complete";
  /** Milliseconds from the accepted cancellation to the end. */
  readonly cancelDelay: number;
  /** Units of work that the counters count. */
  readonly units: number;
  /** Laid over the metadata: other fields, another `@type`; a key with `undefined` removes the field. */
  readonly metadata: JsonObject | undefined;
  /** When a cancellation was first accepted. */
  cancelRequestedAt: number | undefined;
}

/** How and when an operation ends, as things stand. */
export interface OperationEnd {
  /** `Infinity`: not foreseeable. */
  readonly at: number;
  readonly cancelled: boolean;
}

/** When `operation` ends, as things stand: at its plan, or earlier because it was cancelled. */
export function endOf(operation: OperationRecord): OperationEnd {
  const planned = operation.createdAt + operation.duration;
  if (operation.cancelRequestedAt === undefined || operation.onCancel === "complete") {
    return { at: planned, cancelled: false };
  }
  const cancelled = operation.cancelRequestedAt + operation.cancelDelay;
  return cancelled < planned ? { at: cancelled, cancelled: true } : { at: planned, cancelled: false };
}

/** Whether `operation` is done at the moment `at`. */
export function isDone(operation: OperationRecord, at: number): boolean {
  return endOf(operation).at <= at;
}

/** The Operation message in JSON at the moment `at`. `done` is left out while false, as Google does. */
export function operationJson(operation: OperationRecord, at: number): JsonObject {
  const end = endOf(operation);
  const done = end.at <= at;
  const counter = progressAt(operation, end, Math.min(at, end.at));
  return {
    name: operation.name,
    metadata: metadataJson(operation, at, done ? end.at : undefined, counter),
    ...(done ? { done: true, ...resultJson(operation, end.cancelled, counter) } : {}),
  };
}

function metadataJson(
  operation: OperationRecord,
  at: number,
  endTime: number | undefined,
  counter: Counter | undefined,
): JsonObject {
  const { kind, cancelRequestedAt } = operation;
  const requested = cancelRequestedAt !== undefined && cancelRequestedAt <= at;
  return {
    "@type": healthcareType(operation, "OperationMetadata"),
    apiMethodName: `google.cloud.healthcare.${operation.version}.${kind.method}`,
    createTime: timestamp(operation.createdAt),
    endTime: endTime === undefined ? undefined : timestamp(endTime),
    cancelRequested: requested ? true : undefined,
    logsUrl: kind.counters === "none" ? undefined : logsUrl(operation),
    counter: counter && counterJson(counter),
    ...operation.metadata,
  };
}

/** Counters go on to the end, or to the cancellation, and stand still from there. */
function progressAt(operation: OperationRecord, end: OperationEnd, at: number): Counter | undefined {
  if (operation.kind.counters === "none") return undefined;
  const { outcome, createdAt, duration } = operation;
  const elapsed = Math.max(0, at - createdAt);
  const stopsEarly = outcome.type === "error" || outcome.type === "cancelled";
  const finished = end.at <= at && !end.cancelled && !stopsEarly;
  // Work without a foreseeable end closes in on completion by half each ten minutes.
  const fraction = Number.isFinite(duration) ? elapsed / duration : 1 - 0.5 ** (elapsed / 600_000);
  const withFailures = outcome.type === "partial" || outcome.type === "error";
  // An operation that fails or is cancelled stops at four fifths of its work.
  const share = stopsEarly ? 0.8 : 1;
  return counterAt(
    operation.kind,
    operation.units,
    finished ? 1 : Math.min(1, fraction) * share,
    withFailures,
  );
}

function resultJson(
  operation: OperationRecord,
  cancelled: boolean,
  counter: Counter | undefined,
): JsonObject {
  const { outcome } = operation;
  if (cancelled || outcome.type === "cancelled") {
    return { error: { code: 1, message: "The operation was cancelled." } };
  }
  switch (outcome.type) {
    case "error":
      return { error: { code: outcome.code, message: outcome.message, details: outcome.details } };
    case "nothing":
      return {};
    case "empty":
      return { response: { "@type": typeUrl("google.protobuf.Empty") } };
    case "success":
    case "partial":
      return {
        response: (outcome.type === "success" && outcome.response) || responseJson(operation, counter),
      };
  }
}

function responseJson(operation: OperationRecord, counter: Counter | undefined): JsonObject {
  const { kind } = operation;
  if (kind.response === undefined) return { "@type": typeUrl("google.protobuf.Empty") };
  const fields = kind.fields?.({
    dataset: operation.dataset,
    success: int64(counter?.success ?? 0),
    failure: int64(counter?.failure ?? 0),
    secondarySuccess: int64(counter?.secondarySuccess ?? 0),
    secondaryFailure: int64(counter?.secondaryFailure ?? 0),
  });
  return { "@type": healthcareType(operation, kind.response), ...fields };
}

function healthcareType(operation: OperationRecord, type: string): string {
  return typeUrl(`google.cloud.healthcare.${operation.version}.${type}`);
}

function logsUrl(operation: OperationRecord): string {
  const project = operation.name.split("/")[1] ?? "";
  return `https://console.cloud.google.com/logs/query/advancedFilter=logName%3Dprojects%2F${project}%2Flogs%2Fhealthcare.googleapis.com%252Foperations%0Aoperation.id%3D${operation.id}?project=${project}`;
}
