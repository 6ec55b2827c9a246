import { Code, ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors/reasons.ts";
import type { Timer } from "../../lib/clock.ts";
import type { EndListener } from "../../lib/end-listeners.ts";
import type { EqualTimers, TimeUp } from "../../lib/equal-timers.ts";
import type { TraceContext } from "../../lib/trace-context.ts";
import type { UpstreamAnswerInfo, UpstreamCall } from "../../upstream/operations-api.ts";
import type { ReadTarget } from "../share/read-target.ts";
import type { CancelAttempt, CancelAttempts, Canceller } from "./cancel-attempts.ts";
import type { CancelResult } from "./cancel-resolution.ts";
import { type DoneOutcome, outcomeOf, unresolved } from "./cancelling.ts";

/** The value of the response metadata `lro-cancel-outcome`: a cancel that was taken, or what is known beyond that. */
export type CancelOutcomeName = "REQUESTED" | "NOT_FOUND" | DoneOutcome;

/** A plain cancel is given up after so long; its deadline may end it sooner. Milliseconds. */
export const PLAIN_MAX_MS = 30_000;

/**
 * A caller's part in a CancelOperation: he wants no more than the upstream's answer, and leaves as soon as he has it.
 * One promise and no more, since this is what a gateway is asked most.
 */
export class PlainCancel<C extends UpstreamCall, T> implements Canceller, EndListener, TimeUp {
  readonly persistent = false;
  readonly authorization: string | undefined;
  readonly requestId: string;
  /** Rejects with what ended the call. */
  readonly answer: Promise<T>;
  readonly #call: C;
  readonly #toAnswer: ToAnswer<C, T>;
  #resolve!: (answer: T) => void;
  #reject!: (why: unknown) => void;
  readonly #timer: Timer;
  readonly #attempt: CancelAttempt;

  /** `timers` run for {@link PLAIN_MAX_MS}. */
  constructor(
    target: ReadTarget,
    call: C,
    attempts: CancelAttempts,
    timers: EqualTimers,
    toAnswer: ToAnswer<C, T>,
  ) {
    this.authorization = call.authorization;
    this.requestId = call.requestId;
    this.#call = call;
    this.#toAnswer = toAnswer;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = timers.set(this);
    this.#attempt = attempts.join(target, this);
    call.onEnd(this);
  }

  get trace(): TraceContext | undefined {
    return this.#call.trace;
  }

  answered(info: UpstreamAnswerInfo): void {
    this.#call.onUpstreamAnswer?.(info);
  }

  resolved(result: CancelResult, attempt: CancelAttempt): void {
    this.#settle(result, attempt);
  }

  timeUp(): void {
    this.#settle(undefined, this.#attempt);
  }

  callEnded(why: ConnectError): void {
    this.#leave(this.#attempt);
    this.#reject(why);
  }

  #settle(result: CancelResult | undefined, attempt: CancelAttempt): void {
    this.#leave(attempt);
    try {
      this.#resolve(this.#toAnswer(plainAnswer(result, attempt.resolution.lastError), this.#call));
    } catch (error) {
      this.#reject(error);
    }
  }

  #leave(attempt: CancelAttempt): void {
    this.#timer.cancel();
    this.#call.offEnd(this);
    attempt.leave(this);
  }
}

/** What a plain CancelOperation answers: an error, or success; and the name of what is known. */
export interface PlainAnswer {
  readonly error: ConnectError | undefined;
  readonly outcome: CancelOutcomeName | undefined;
}

/** Makes of it what the caller is answered; what it throws is his error. */
export type ToAnswer<C extends UpstreamCall, T> = (plain: PlainAnswer, call: C) => T;

/**
 * The answer to a plain CancelOperation: Empty, or the upstream's own error. An operation that was done before stays
 * FAILED_PRECONDITION; one that ended after a cancel whose answer was lost was cancelled in time.
 */
function plainAnswer(result: CancelResult | undefined, lastError: ConnectError | undefined): PlainAnswer {
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

/** The upstream's own refusal; with the code of its meaning if it came under another one. */
function alreadyDone(refusal: ConnectError | undefined): ConnectError {
  if (!refusal) return gatewayError("OPERATION_DONE", "the operation was done before the cancel");
  if (refusal.code === Code.FailedPrecondition) return refusal;
  const error = new ConnectError(refusal.rawMessage, Code.FailedPrecondition, refusal.metadata);
  error.details = refusal.details;
  return error;
}
