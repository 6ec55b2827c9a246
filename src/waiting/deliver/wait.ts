import type { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { gatewayError } from "../../errors/reasons.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { codeName } from "../../lib/code-names.ts";
import type { EndListener } from "../../lib/end-listeners.ts";
import type { Call } from "../../rpc/call.ts";
import type { Observation } from "../facts/observation.ts";
import { retryAfter } from "../facts/read-failure.ts";
import { MIN_INTERVAL_MS } from "../schedule/schedule.ts";
import type { FollowTarget, OperationTracker } from "../share/operation-tracker.ts";
import type { SharedPoll } from "../share/shared-poll.ts";
import type { Follower } from "./delivery.ts";

/** How a wait ended. */
export type WaitResult =
  | { readonly kind: "done"; readonly seen: Observation }
  /** Time is up; the operation as last read, `undefined` if no read succeeded, with the last failure. */
  | {
      readonly kind: "time-up";
      readonly seen: Observation | undefined;
      readonly failure: ConnectError | undefined;
    };

/** What to wait for. */
export interface WaitRequest {
  readonly target: FollowTarget;
  /** On the monotonic clock. */
  readonly end: number;
  /** Reads that were sent earlier do not count; absent: those that a newcomer may be given do. */
  readonly notBefore?: number;
}

/** Delivery, to one waiter: a promise that settles when the operation is done, the time is up, or a read ends it. */
export class Waiter implements Follower, EndListener {
  /** Rejects with a ConnectError: what ended the call, or a read that no later one will better. */
  readonly result: Promise<WaitResult>;
  readonly #settle: PromiseWithResolvers<WaitResult>;
  readonly #poll: SharedPoll;
  readonly #notBefore: number;
  #timer: Timer | undefined;
  readonly #call: Call;
  #over = false;

  /** May throw a ConnectError, when there is no room for another operation. */
  constructor(request: WaitRequest, call: Call, tracker: OperationTracker, clock: Clock) {
    this.#call = call;
    this.#settle = Promise.withResolvers();
    this.result = this.#settle.promise;
    this.#poll = tracker.follow(request.target, this);
    this.#notBefore = request.notBefore ?? clock.monotonic() - this.#poll.presentInterval;
    this.#timer = clock.setTimer(request.end - clock.monotonic(), () => this.timeUp());
    call.onEnd(this);
    if (this.#over) call.offEnd(this);
    this.notify();
  }

  notify(): void {
    const { latest, ended } = this.#poll;
    if (ended) this.fail(ended);
    else if (latest?.done) this.#finish({ kind: "done", seen: latest });
  }

  callEnded(why: ConnectError): void {
    this.fail(why);
  }

  /** Ends the wait with an error: the call has ended, or its right was withdrawn. */
  fail(why: ConnectError): void {
    if (this.#leave()) this.#settle.reject(why);
  }

  /** The wait is over, with what is known. */
  timeUp(): void {
    const { latest, lastFailure } = this.#poll;
    const seen = latest && latest.sentAt >= this.#notBefore ? latest : undefined;
    this.#finish({ kind: "time-up", seen, failure: lastFailure });
  }

  #finish(result: WaitResult): void {
    if (this.#leave()) this.#settle.resolve(result);
  }

  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer?.cancel();
    this.#call.offEnd(this);
    this.#poll.leave(this);
    return true;
  }
}

/**
 * Waits until the right of a caller has been checked, and not longer than his wait: that his deadline passes meanwhile
 * would be an error that clients repeat.
 *
 * @throws ConnectError the refusal; or UNAVAILABLE at `end` (monotonic clock).
 */
export async function untilAuthorized(
  authorized: Promise<void> | undefined,
  end: number,
  clock: Clock,
): Promise<void> {
  if (!authorized) return;
  const { promise, reject } = Promise.withResolvers<void>();
  const timer = clock.setTimer(end - clock.monotonic(), () => reject(nothingRead(undefined)));
  await Promise.race([authorized, promise]).finally(() => timer.cancel());
}

/** The error of a wait in which no read succeeded: UNAVAILABLE, with the reason of the last failure. */
export function nothingRead(failure: ConnectError | undefined): ConnectError {
  if (!failure)
    return gatewayError("NOTHING_READ", "the time was up before the operation could be read", {
      retryDelayMs: MIN_INTERVAL_MS,
    });
  const reason = failure.findDetails(ErrorInfoSchema)[0]?.reason;
  return gatewayError("NOTHING_READ", `the operation could not be read in time: ${failure.rawMessage}`, {
    retryDelayMs: Math.max(retryAfter(failure) ?? 0, MIN_INTERVAL_MS),
    metadata: { lastCode: codeName(failure.code), ...(reason && { lastReason: reason }) },
    cause: failure,
  });
}
