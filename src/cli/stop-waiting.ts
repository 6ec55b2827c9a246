import type { ProcessEvents, StopSignal } from "./run-until-stopped.ts";

/** Timers of Node.js cannot be longer, ms: 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What makes a command stop waiting before there is an outcome: the time is up, or the user has had enough. */
export class StopWaiting {
  /** Why it stopped; `undefined` while it goes on. */
  reason: StopSignal | "time-up" | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;

  /** `timeoutMs` undefined: without end. */
  constructor(process: ProcessEvents, timeoutMs: number | undefined) {
    process.on("SIGINT", () => this.#stop("SIGINT"));
    process.on("SIGTERM", () => this.#stop("SIGTERM"));
    if (timeoutMs !== undefined)
      this.#timer = setTimeout(() => this.#stop("time-up"), Math.min(timeoutMs, MAX_TIMER_MS));
  }

  /** Aborted as soon as there is a {@link reason}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** There is an outcome: the time does not matter any more. */
  done(): void {
    clearTimeout(this.#timer);
  }

  #stop(reason: StopSignal | "time-up"): void {
    this.reason ??= reason;
    this.#controller.abort();
  }
}
