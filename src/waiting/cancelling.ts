import { Code, ConnectError } from "@connectrpc/connect";
import {
  type CancelAndWaitResponse_Outcome as Outcome,
  State,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { gatewayError } from "../errors/reasons.ts";
import type { Timer } from "../lib/clock.ts";
import type { UpstreamAnswerInfo, UpstreamCall } from "../upstream/operations-api.ts";
import type { CancelAttempt, CancelAttempts, Canceller } from "./cancel-attempts.ts";
import type { CancelResult } from "./cancel-resolution.ts";
import type { Observation } from "./observation.ts";
import type { ReadTarget } from "./read-collapse.ts";

/** The value of the response metadata `lro-cancel-outcome`: a cancel that was taken, or what is known beyond that. */
export type CancelOutcomeName = "REQUESTED" | "NOT_FOUND" | DoneOutcome;

/** How an operation has ended, for one who has cancelled it. */
export type DoneOutcome = Extract<
  keyof typeof Outcome,
  "CANCELLED" | "COMPLETED" | "FAILED" | "ALREADY_DONE"
>;

/** A plain cancel is given up after so long; its deadline may end it sooner. Milliseconds. */
export const PLAIN_MAX_MS = 30_000;

/** One caller's part in a cancel: a promise of what it came to. */
export class Cancelling implements Canceller {
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly persistent: boolean;
  /** Rejects with what ended the call; `undefined` when the time was up before anything was certain. */
  readonly result: Promise<CancelResult | undefined>;
  readonly attempt: CancelAttempt;
  private readonly settle: PromiseWithResolvers<CancelResult | undefined>;
  private readonly call: Pick<UpstreamCall, "onUpstreamAnswer">;
  private readonly timer: Timer;
  private readonly forgetCall: () => void;

  constructor(
    target: ReadTarget,
    options: {
      readonly call: Pick<UpstreamCall, "authorization" | "requestId" | "onEnd" | "onUpstreamAnswer">;
      readonly attempts: CancelAttempts;
      readonly persistent: boolean;
      /** Sets the timer that ends the wait. */
      readonly setTimer: (timeUp: () => void) => Timer;
    },
  ) {
    const { call, attempts, persistent, setTimer } = options;
    this.authorization = call.authorization;
    this.requestId = call.requestId;
    this.persistent = persistent;
    this.call = call;
    this.settle = Promise.withResolvers();
    this.result = this.settle.promise;
    this.timer = setTimer(() => this.timeUp());
    this.attempt = attempts.join(target, this);
    this.forgetCall = call.onEnd((why) => this.settle.reject(why));
  }

  answered(info: UpstreamAnswerInfo): void {
    this.call.onUpstreamAnswer?.(info);
  }

  resolved(result: CancelResult): void {
    this.settle.resolve(result);
  }

  /** Ends the wait with an error: the right was withdrawn. */
  fail(why: ConnectError): void {
    this.settle.reject(why);
  }

  /** Nobody waits any longer, whatever is known. */
  timeUp(): void {
    this.settle.resolve(undefined);
  }

  /** To be called when the caller has his answer. */
  leave(): void {
    this.timer.cancel();
    this.forgetCall();
    this.attempt.leave(this);
  }
}

/** How an operation that is done has ended, for one who has cancelled it. */
export function outcomeOf(seen: Observation, before: boolean): DoneOutcome {
  if (before) return "ALREADY_DONE";
  switch (seen.facts.state) {
    case State.CANCELLED:
      return "CANCELLED";
    case State.FAILED:
      return "FAILED";
    default:
      return "COMPLETED";
  }
}

/** What a plain CancelOperation answers: an error, or success; and the name of what is known. */
export interface PlainAnswer {
  readonly error: ConnectError | undefined;
  readonly outcome: CancelOutcomeName | undefined;
}

/**
 * The answer to a plain CancelOperation: Empty, or the upstream's own error. An operation that was done before stays
 * FAILED_PRECONDITION; one that ended after a cancel whose answer was lost was cancelled in time.
 */
export function plainAnswer(
  result: CancelResult | undefined,
  lastError: ConnectError | undefined,
): PlainAnswer {
  switch (result?.kind) {
    case "requested":
      return { error: undefined, outcome: "REQUESTED" };
    case "not-found":
      return { error: result.error, outcome: "NOT_FOUND" };
    case "done": {
      const outcome = outcomeOf(result.seen, result.before);
      return { error: result.before ? alreadyDone(result.refusal) : undefined, outcome };
    }
    default:
      return { error: result?.error ?? lastError ?? unresolved(undefined), outcome: undefined };
  }
}

/** The error of a cancel of which nothing was certain in time: UNAVAILABLE, never OK. */
export function unresolved(last: ConnectError | undefined): ConnectError {
  const why = last ? `; last: ${last.rawMessage}` : "";
  return gatewayError("CANCEL_UNRESOLVED", `what became of the cancel was not known in time${why}`, {
    retryDelayMs: 1_000,
    cause: last,
  });
}

/** The upstream's own refusal; with the code of its meaning if it came under another one. */
function alreadyDone(refusal: ConnectError | undefined): ConnectError {
  if (!refusal) return gatewayError("OPERATION_DONE", "the operation was done before the cancel");
  if (refusal.code === Code.FailedPrecondition) return refusal;
  const error = new ConnectError(refusal.rawMessage, Code.FailedPrecondition, refusal.metadata);
  error.details = refusal.details;
  return error;
}
