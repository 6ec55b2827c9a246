import { fromBinary } from "@bufbuild/protobuf";
import { type Operation, OperationSchema } from "../../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "../../lib/encoded.ts";
import { isDone } from "../../lib/operation-done.ts";
import { factsOf, type OperationFacts } from "./operation-facts.ts";

/** An operation as one read has found it. */
export class Observation {
  readonly operation: Encoded<Operation>;
  /** When the read was sent, on the monotonic clock; orders observations. */
  readonly sentAt: number;
  /** The same moment for callers: milliseconds since the Unix epoch. */
  readonly readTime: number;
  #known: OperationFacts | undefined;

  constructor(operation: Encoded<Operation>, sentAt: number, readTime: number) {
    this.operation = operation;
    this.sentAt = sentAt;
    this.readTime = readTime;
  }

  get done(): boolean {
    return isDone(this.operation);
  }

  /** Read when first asked for. The message made for it is not kept, since few idle watches ever need it again. */
  get facts(): OperationFacts {
    this.#known ??= factsOf(fromBinary(OperationSchema, this.operation.toBinary()));
    return this.#known;
  }

  /** The same finding under the time of another one that was made later, see {@link OperationView.merge}. */
  notBefore(other: Observation): Observation {
    return new Observation(this.operation, other.sentAt, other.readTime);
  }
}

/** What is known of one operation: the result of many observations, some of them late, stale or wrong. */
export class OperationView {
  latest: Observation | undefined;
  /** Units per second between the last two reads, see progress.ts. */
  rate: number | undefined;
  /** Goes up with each change of the operation; 0 before the first observation. */
  version = 0;

  /**
   * Takes an observation in and says whether it is news.
   *
   * Done wins for ever: a later read that says running is the upstream's lag, and an earlier one that says done
   * (a list page that took long) is true all the same; it then carries the time of the later read, so that time does
   * not go back for anybody. Of two that are not done, the one that was sent later counts.
   */
  merge(
    seen: Observation,
    rateBetween: (earlier: Observation, later: Observation) => number | undefined,
  ): boolean {
    const { latest } = this;
    if (latest?.done) return false;
    const older = latest !== undefined && seen.sentAt < latest.sentAt;
    if (older && !seen.done) return false;
    if (latest && seen.sentAt > latest.sentAt) this.rate = rateBetween(latest, seen);
    this.latest = older ? seen.notBefore(latest) : seen;
    if (latest && sameBytes(latest.operation.toBinary(), seen.operation.toBinary())) return false;
    this.version++;
    return true;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && Buffer.compare(a, b) === 0);
}
