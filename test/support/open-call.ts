import { Code, ConnectError } from "@connectrpc/connect";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import type { EndListener } from "../../src/lib/end-listeners.ts";
import type { UpstreamAnswerInfo, UpstreamCall } from "../../src/upstream/operations-api.ts";

export interface OpenCallOptions {
  /** Milliseconds on the clock; absent: no deadline. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly authorization?: string;
  readonly retry?: boolean;
}

/** A call that ends when the test says so, or at its deadline, and remembers what it was told. */
export class OpenCall implements UpstreamCall {
  readonly deadline: number;
  readonly authorization: string | undefined;
  readonly requestId = "test-request";
  readonly retry: boolean;
  readonly answers: UpstreamAnswerInfo[] = [];
  ended: ConnectError | undefined;
  readonly listeners = new Set<EndListener>();

  constructor(options: OpenCallOptions = {}) {
    const { timeoutMs, clock = systemClock } = options;
    this.authorization = options.authorization;
    this.retry = options.retry ?? true;
    this.deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + timeoutMs;
    if (timeoutMs !== undefined)
      clock.setTimer(timeoutMs, () => this.end(new ConnectError("deadline", Code.DeadlineExceeded)));
  }

  end(why = new ConnectError("gone", Code.Canceled)): void {
    if (this.ended) return;
    this.ended = why;
    for (const listener of [...this.listeners]) listener.callEnded(why);
    this.listeners.clear();
  }

  onEnd(listener: EndListener): void {
    if (this.ended) listener.callEnded(this.ended);
    else this.listeners.add(listener);
  }

  offEnd(listener: EndListener): void {
    this.listeners.delete(listener);
  }

  onUpstreamAnswer(info: UpstreamAnswerInfo): void {
    this.answers.push(info);
  }
}
