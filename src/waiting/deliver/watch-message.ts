import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  WatchOperationResponse_Kind as Kind,
  type Progress,
  WatchOperationResponseSchema as Schema,
  type State,
  type WatchOperationResponse,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Encoded } from "../../lib/encoded.ts";
import type { Observation } from "../facts/observation.ts";
import { progressOf } from "../facts/progress.ts";
import type { SharedPoll } from "../share/shared-poll.ts";
import { spliced } from "./spliced-message.ts";

/** The fields that describe an operation beside itself, in every message that carries one. */
export interface StateFields {
  state: State;
  progress?: Progress;
  readTime: Timestamp;
  nextReadTime?: Timestamp;
}

/** Makes those fields. A terminal state has no next read. */
export function stateFields(seen: Observation, rate: number | undefined, nextReadTime: number): StateFields {
  const { done, state, counters } = seen.facts;
  const progress = progressOf(counters, rate);
  return {
    state,
    ...(progress && { progress }),
    readTime: timestamp(seen.readTime),
    ...(!done && { nextReadTime: timestamp(nextReadTime) }),
  };
}

/** The messages of watched operations, each made once for all its watchers. */
export class WatchMessages {
  readonly #made = new WeakMap<Observation, Encoded<WatchOperationResponse>>();

  /** What a poll has seen last. */
  state(poll: SharedPoll, seen: Observation): Encoded<WatchOperationResponse> {
    const known = this.#made.get(seen);
    if (known) return known;
    const message = stateMessage(seen, stateFields(seen, poll.view.rate, poll.nextReadTime));
    // For a single watcher nobody will ask again, and ten thousand kept messages are not nothing.
    if (poll.followers.size > 1) this.#made.set(seen, message);
    return message;
  }

  /** An operation that is done and not polled any more. */
  finished(seen: Observation): Encoded<WatchOperationResponse> {
    return stateMessage(seen, stateFields(seen, undefined, 0));
  }
}

function stateMessage(seen: Observation, fields: StateFields): Encoded<WatchOperationResponse> {
  return spliced({
    schema: Schema,
    head: create(Schema, { kind: Kind.STATE }),
    operation: seen.operation,
    tail: create(Schema, fields),
    whole: () => create(Schema, { kind: Kind.STATE, operation: seen.operation.toMessage(), ...fields }),
  });
}

/** The sign of life of a stream. */
export function heartbeatMessage(poll: SharedPoll | undefined): WatchOperationResponse {
  const message = create(Schema, { kind: Kind.HEARTBEAT });
  if (!poll) return message;
  if (poll.latest) message.readTime = timestamp(poll.latest.readTime);
  message.nextReadTime = timestamp(poll.nextReadTime);
  return message;
}

/** A moment in milliseconds since the Unix epoch as a message has it, to the millisecond. */
export function timestamp(ms: number): Timestamp {
  return timestampFromMs(Math.round(ms));
}
