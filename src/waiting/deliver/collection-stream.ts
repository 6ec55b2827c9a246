import { create } from "@bufbuild/protobuf";
import {
  WatchOperationsResponse_GoneReason as GoneReason,
  WatchOperationsResponse_Kind as Kind,
  WatchOperationsResponseSchema as Schema,
  type WatchOperationsResponse,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Encoded } from "../../lib/encoded.ts";
import type { Observation } from "../facts/observation.ts";
import type { CollectionFollower, CollectionPoll } from "../share/collection-poll.ts";
import { type CollectionEntry, SlotSet } from "../share/collection-view.ts";
import type { Collections, CollectionTarget } from "../share/collections.ts";
import { FollowerStream, type StreamLife } from "./follower-stream.ts";
import { spliced } from "./spliced-message.ts";
import { stateFields, timestamp } from "./watch-message.ts";

/** Messages of collections, each made once for all its watchers. */
export class CollectionMessages {
  readonly #made = new WeakMap<Observation, Map<Kind, Encoded<WatchOperationsResponse>>>();

  /** An entry as it is now. */
  entry(
    poll: CollectionPoll,
    kind: Kind,
    entry: CollectionEntry,
    seen: Observation,
  ): Encoded<WatchOperationsResponse> {
    const known = this.#made.get(seen) ?? new Map<Kind, Encoded<WatchOperationsResponse>>();
    const ready = known.get(kind);
    if (ready) return ready;
    const { name } = entry;
    const fields = {
      ...stateFields(seen, entry.view.rate, poll.nextReadTime),
      ...(entry.gone === "filtered-out" && { goneReason: GoneReason.FILTERED_OUT }),
    };
    const message = spliced({
      schema: Schema,
      head: create(Schema, { kind, name }),
      operation: seen.operation,
      tail: create(Schema, fields),
      whole: () => create(Schema, { kind, name, operation: seen.operation.toMessage(), ...fields }),
    });
    if (poll.followers.size > 1) this.#made.set(seen, known.set(kind, message));
    return message;
  }
}

/** What the streams of collections share. */
export interface CollectionStreamTools extends StreamLife {
  readonly collections: Collections;
  readonly messages: CollectionMessages;
}

/** The stream of WatchOperations: what is there, and then what changes. */
export class CollectionStream extends FollowerStream<WatchOperationsResponse> implements CollectionFollower {
  position = 0;
  readonly #target: CollectionTarget;
  readonly #tools: CollectionStreamTools;
  readonly #seen = new SlotSet();
  #poll: CollectionPoll | undefined;
  #notBefore = 0;
  #begun = false;
  #snapshotEnded = false;

  constructor(target: CollectionTarget, tools: CollectionStreamTools) {
    super(tools);
    this.#target = target;
    this.#tools = tools;
  }

  protected override attach(): void {
    this.#poll = this.#tools.collections.follow(this.#target, this);
    this.#notBefore = this.#tools.clock.monotonic() - this.#poll.presentInterval;
  }

  protected override detach(): void {
    this.#poll?.leave(this);
    this.#poll = undefined;
  }

  protected override has(): boolean {
    const poll = this.#poll;
    if (!poll) return false;
    if (poll.ended) return true;
    return this.#ready(poll) && (!this.#snapshotEnded || poll.view.after(this.position) !== undefined);
  }

  protected override take(): WatchOperationsResponse | Encoded<WatchOperationsResponse> | undefined {
    const poll = this.#poll;
    if (!poll) return undefined;
    if (poll.ended) {
      this.finish({ error: poll.ended });
      return undefined;
    }
    if (!this.#ready(poll)) return undefined;
    for (let next = poll.view.after(this.position); next; next = poll.view.after(this.position)) {
      this.position = next.seq;
      const message = this.#message(poll, next.entry);
      if (message) return message;
    }
    if (this.#snapshotEnded) return undefined;
    this.#snapshotEnded = true;
    return this.#without(poll, Kind.SNAPSHOT_END);
  }

  protected override heartbeat(): WatchOperationsResponse {
    return this.#poll ? this.#without(this.#poll, Kind.HEARTBEAT) : create(Schema, { kind: Kind.HEARTBEAT });
  }

  /** A pass has been made that is not too old to begin with. */
  #ready(poll: CollectionPoll): boolean {
    this.#begun ||= poll.completed !== undefined && poll.completed >= this.#notBefore;
    return this.#begun;
  }

  #message(
    poll: CollectionPoll,
    entry: CollectionEntry,
  ): WatchOperationsResponse | Encoded<WatchOperationsResponse> | undefined {
    const known = this.#seen.has(entry.slot);
    if (entry.gone) {
      this.#seen.delete(entry.slot);
      return known ? this.#gone(poll, entry) : undefined;
    }
    this.#seen.add(entry.slot);
    const kind = known ? Kind.CHANGED : this.#snapshotEnded ? Kind.ADDED : Kind.SNAPSHOT;
    const { latest } = entry.view;
    return latest && this.#tools.messages.entry(poll, kind, entry, latest);
  }

  #gone(
    poll: CollectionPoll,
    entry: CollectionEntry,
  ): WatchOperationsResponse | Encoded<WatchOperationsResponse> {
    const { latest } = entry.view;
    if (entry.gone === "filtered-out" && latest)
      return this.#tools.messages.entry(poll, Kind.GONE, entry, latest);
    const message = this.#without(poll, Kind.GONE);
    message.name = entry.name;
    message.goneReason = GoneReason.NOT_FOUND;
    message.readTime = timestamp(entry.goneTime);
    return message;
  }

  #without(poll: CollectionPoll, kind: Kind): WatchOperationsResponse {
    const message = create(Schema, { kind, nextReadTime: timestamp(poll.nextReadTime) });
    if (poll.completedTime !== undefined) message.readTime = timestamp(poll.completedTime);
    return message;
  }
}
