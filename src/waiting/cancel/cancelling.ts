import type { ConnectError } from "@connectrpc/connect";
import {
  type CancelAndWaitResponse_Outcome as Outcome,
  State,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { gatewayError } from "../../errors/reasons.ts";
import type { Timer } from "../../lib/clock.ts";
import type { EndListener } from "../../lib/end-listeners.ts";
import type { TraceContext } from "../../lib/trace-context.ts";
import type { UpstreamCall } from "../../upstream/operations-api.ts";
import type { Observation } from "../facts/observation.ts";
import { retryAfter } from "../facts/read-failure.ts";
import { MIN_INTERVAL_MS } from "../schedule/schedule.ts";
import type { ReadTarget } from "../share/read-target.ts";
import type { CancelAttempt, CancelAttempts, Canceller } from "./cancel-attempts.ts";
import type { CancelResult } from "./cancel-resolution.ts";

/** How an operation has ended, for one who has cancelled it. */
export type DoneOutcome = Extract<
  keyof typeof Outcome,
  "CANCELLED" | "COMPLETED" | "FAILED" | "ALREADY_DONE"
>;

/** A caller's part in a CancelAndWait: a promise of what the cancel came to, for whom stays until it is certain. */
export class Cancelling implements Canceller, EndListener {
  readonly persistent = true;
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly trace: TraceContext | undefined;
  /** Rejects with what ended the call; `undefined` when the time was up before anything was certain. */
  readonly result: Promise<CancelResult | undefined>;
  readonly attempt: CancelAttempt;
  readonly #settle: PromiseWithResolvers<CancelResult | undefined>;
  readonly #timer: Timer;
  readonly #call: Pick<UpstreamCall, "offEnd">;

  constructor(
    target: ReadTarget,
    options: {
      readonly call: Pick<UpstreamCall, "authorization" | "requestId" | "trace" | "onEnd" | "offEnd">;
      readonly attempts: CancelAttempts;
      /** Sets the timer that ends the wait. */
      readonly setTimer: (timeUp: () => void) => Timer;
    },
  ) {
    const { call, attempts, setTimer } = options;
    this.#call = call;
    this.authorization = call.authorization;
    this.requestId = call.requestId;
    this.trace = call.trace;
    this.#settle = Promise.withResolvers();
    this.result = this.#settle.promise;
    this.#timer = setTimer(() => this.timeUp());
    this.attempt = attempts.join(target, this);
    call.onEnd(this);
  }

  /** The answer to a CancelAndWait tells nothing of its POSTs. */
  answered(): void {}

  resolved(result: CancelResult): void {
    this.#settle.resolve(result);
  }

  callEnded(why: ConnectError): void {
    this.#settle.reject(why);
  }

  /** Ends the wait with an error: the right was withdrawn. */
  fail(why: ConnectError): void {
    this.#settle.reject(why);
  }

  /** Nobody waits any longer, whatever is known. */
  timeUp(): void {
    this.#settle.resolve(undefined);
  }

  /** To be called when the caller has his answer. */
  leave(): void {
    this.#timer.cancel();
    this.#call.offEnd(this);
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

/** The error of a cancel of which nothing was certain in time: UNAVAILABLE, never OK. */
export function unresolved(last: ConnectError | undefined): ConnectError {
  const why = last ? `; last: ${last.rawMessage}` : "";
  return gatewayError("CANCEL_UNRESOLVED", `what became of the cancel was not known in time${why}`, {
    retryDelayMs: Math.max((last && retryAfter(last)) ?? 0, MIN_INTERVAL_MS),
    cause: last,
  });
}
