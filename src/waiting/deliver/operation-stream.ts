import type { WatchOperationResponse } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Encoded } from "../../lib/encoded.ts";
import type { Observation } from "../facts/observation.ts";
import type { FollowTarget, OperationTracker } from "../share/operation-tracker.ts";
import type { SharedPoll } from "../share/shared-poll.ts";
import { FollowerStream, type StreamLife } from "./follower-stream.ts";
import { heartbeatMessage, type WatchMessages } from "./watch-message.ts";

/** What the streams of single operations share. */
export interface OperationStreamTools extends StreamLife {
  readonly tracker: OperationTracker;
  readonly messages: WatchMessages;
  /** The operation if it is known to be done, see read-cache.ts. */
  readonly finished: (target: FollowTarget) => Observation | undefined;
}

/** The stream of WatchOperation: the state at once, each change, the terminal state once. */
export class OperationStream extends FollowerStream<WatchOperationResponse> {
  readonly #target: FollowTarget;
  readonly #tools: OperationStreamTools;
  #poll: SharedPoll | undefined;
  /** Known to be done before anything was followed. */
  #known: Observation | undefined;
  #sent: number | undefined;
  /** Reads that were sent earlier are too old to be the first message. */
  #notBefore = 0;

  constructor(target: FollowTarget, tools: OperationStreamTools) {
    super(tools);
    this.#target = target;
    this.#tools = tools;
  }

  protected override attach(): void {
    this.#known = this.#tools.finished(this.#target);
    if (this.#known) return;
    const now = this.#tools.clock.monotonic();
    this.#poll = this.#tools.tracker.follow(this.#target, this);
    this.#notBefore = now - this.#poll.presentInterval;
  }

  protected override detach(): void {
    this.#poll?.leave(this);
    this.#poll = undefined;
    this.#known = undefined;
  }

  protected override has(): boolean {
    return this.#known !== undefined || this.#poll?.ended !== undefined || this.#news() !== undefined;
  }

  protected override take(): WatchOperationResponse | Encoded<WatchOperationResponse> | undefined {
    const poll = this.#poll;
    const known = this.#known;
    if (known) return this.#terminal(this.#tools.messages.finished(known));
    if (!poll) return undefined;
    if (poll.ended) {
      this.finish({ error: poll.ended });
      return undefined;
    }
    const seen = this.#news();
    if (!seen) return undefined;
    this.#sent = poll.view.version;
    const message = this.#tools.messages.state(poll, seen);
    return seen.done ? this.#terminal(message) : message;
  }

  protected override heartbeat(): WatchOperationResponse {
    return heartbeatMessage(this.#poll);
  }

  #terminal(message: Encoded<WatchOperationResponse>): Encoded<WatchOperationResponse> {
    this.finish({});
    return message;
  }

  #news(): Observation | undefined {
    const poll = this.#poll;
    const latest = poll?.latest;
    if (!poll || !latest || poll.view.version === this.#sent) return undefined;
    return this.#sent !== undefined || latest.done || latest.sentAt >= this.#notBefore ? latest : undefined;
  }
}
