import { create } from "@bufbuild/protobuf";
import { type Progress, ProgressSchema } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Counters } from "./operation-facts.ts";

/** One read of an operation, as far as progress goes. */
export interface ProgressPoint {
  /** When the read was sent, milliseconds on any clock that does not go back. */
  readonly at: number;
  readonly counters: Counters | undefined;
}

/**
 * Units processed per second between two reads, failed ones included. `undefined` when a read has no counters, the
 * reads do not differ in time, or the counters went back: then there is no truth to divide by.
 */
export function rateBetween(earlier: ProgressPoint, later: ProgressPoint): number | undefined {
  if (!earlier.counters || !later.counters || later.at <= earlier.at) return undefined;
  const units = processed(later.counters) - processed(earlier.counters);
  return units < 0n ? undefined : (Number(units) * 1000) / (later.at - earlier.at);
}

/** The counters as the caller sees them; `undefined` without any. */
export function progressOf(counters: Counters | undefined, rate: number | undefined): Progress | undefined {
  if (!counters) return undefined;
  const { pending, success, failure, secondarySuccess, secondaryFailure } = counters;
  const progress = create(ProgressSchema, {
    pending,
    success,
    failure,
    secondarySuccess,
    secondaryFailure,
  });
  const done = processed(counters);
  // The second kind of units has no count of what is pending, so no part of it can be told.
  if (pending >= 0n && done >= 0n && done + pending > 0n)
    progress.fraction = Number(done) / Number(done + pending);
  if (rate !== undefined) progress.rate = rate;
  return progress;
}

function processed(counters: Counters): bigint {
  return counters.success + counters.failure;
}
