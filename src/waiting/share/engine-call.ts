import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors/reasons.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { type EndListener, EndListeners } from "../../lib/end-listeners.ts";
import type { EqualTimers, TimeUp } from "../../lib/equal-timers.ts";
import type { TraceContext } from "../../lib/trace-context.ts";
import type { BackgroundRequest } from "../../upstream/background.ts";
import type { UpstreamAnswerInfo, UpstreamCall } from "../../upstream/operations-api.ts";

/** What an upstream call of the engine's own is made with. */
export interface EngineCallOptions {
  readonly clock: Clock;
  readonly authorization: string | undefined;
  readonly requestId: string;
  /** Of the one caller that stands behind the call, if there is one. */
  readonly trace?: TraceContext | undefined;
  /** On the monotonic clock. */
  readonly deadline: number;
  readonly retry: boolean;
  /** Set in a poll, which no caller waits for alone. */
  readonly background?: BackgroundRequest | undefined;
  /** Whether the call ends itself: at its deadline, or with these timers, which must not be later; or somebody else does. */
  readonly timed: boolean | EqualTimers;
}

/**
 * A call to the upstream that no single RPC stands behind: a poll, a read that many share, a cancel that must finish
 * although its caller has gone.
 */
export class EngineCall implements UpstreamCall, TimeUp {
  readonly deadline: number;
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly trace: TraceContext | undefined;
  readonly retry: boolean;
  readonly background: BackgroundRequest | undefined;
  ended: ConnectError | undefined;
  /** What the upstream said besides its message; `undefined` until, and unless, it answered. */
  answer: UpstreamAnswerInfo | undefined;
  readonly #timer: Timer | undefined;
  readonly #listeners = new EndListeners();

  constructor(options: EngineCallOptions) {
    this.deadline = options.deadline;
    this.authorization = options.authorization;
    this.requestId = options.requestId;
    this.trace = options.trace;
    this.retry = options.retry;
    this.background = options.background;
    const { timed, clock, deadline } = options;
    if (timed === true) this.#timer = clock.setTimer(deadline - clock.monotonic(), () => this.timeUp());
    else if (timed) this.#timer = timed.set(this);
  }

  onUpstreamAnswer(info: UpstreamAnswerInfo): void {
    this.answer = info;
  }

  onEnd(listener: EndListener): void {
    if (this.ended) listener.callEnded(this.ended);
    else this.#listeners.add(listener);
  }

  offEnd(listener: EndListener): void {
    this.#listeners.delete(listener);
  }

  /** Nobody needs the answer any more, or it came too late. */
  end(why: ConnectError): void {
    if (this.ended) return;
    this.ended = why;
    this.#timer?.cancel();
    this.hasEnded(why);
    this.#listeners.tell(why);
  }

  timeUp(): void {
    this.end(gatewayError("UPSTREAM_TIMEOUT", "the upstream did not answer in time", { layer: "upstream" }));
  }

  /** The answer is there: nothing ends this call any more. */
  settled(): void {
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  /** For who has made the call; told before the upstream stage is. */
  protected hasEnded(_why: ConnectError): void {}
}
