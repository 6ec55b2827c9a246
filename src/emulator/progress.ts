import type { JsonObject } from "./json.ts";
import type { OperationKind } from "./kinds.ts";

/** The share of units that fail in an operation that ends well in part, or with an error. */
const FAILING_SHARE = 0.03;

/** For each unit of the first kind, so many of the second (e.g. historic versions of one resource). */
const SECONDARY_PER_PRIMARY = 3;

/** Counted units of work, whole numbers. */
export interface Counter {
  readonly pending: number;
  readonly success: number;
  readonly failure: number;
  readonly secondarySuccess: number;
  readonly secondaryFailure: number;
}

/**
 * The counters when `fraction` (0 to 1) of `units` units are processed. They only grow with the fraction, but for
 * `pending`, which only shrinks.
 */
export function counterAt(
  kind: OperationKind,
  units: number,
  fraction: number,
  withFailures: boolean,
): Counter {
  const processed = Math.floor(units * fraction);
  const failure = withFailures ? Math.ceil(processed * FAILING_SHARE) : 0;
  const secondary = kind.counters === "secondary" ? processed * SECONDARY_PER_PRIMARY : 0;
  const secondaryFailure = withFailures ? Math.ceil(secondary * FAILING_SHARE) : 0;
  return {
    pending: units - processed,
    success: processed - failure,
    failure,
    secondarySuccess: secondary - secondaryFailure,
    secondaryFailure,
  };
}

/** A ProgressCounter in JSON: int64 as strings, zero left out. */
export function counterJson(counter: Counter): JsonObject {
  return {
    pending: int64(counter.pending),
    success: int64(counter.success),
    failure: int64(counter.failure),
    secondarySuccess: int64(counter.secondarySuccess),
    secondaryFailure: int64(counter.secondaryFailure),
  };
}

/** ProtoJSON of an int64: a string, left out when zero. */
export function int64(value: number): string | undefined {
  return value === 0 ? undefined : String(value);
}
