import type { Timer } from "../lib/clock.ts";
import type { CommandIo } from "./io.ts";
import type { ProcessEvents, StopSignal } from "./run-until-stopped.ts";

/** What makes a command stop waiting before there is an outcome: the time is up, or the user has had enough. */
export class StopWaiting {
  /** Why it stopped; `undefined` while it goes on. */
  reason: StopSignal | "time-up" | undefined;
  readonly #controller = new AbortController();
  readonly #timer: Timer | undefined;

  /** `timeoutMs` undefined: without end. */
  constructor(process: ProcessEvents, { clock }: Pick<CommandIo, "clock">, timeoutMs: number | undefined) {
    process.on("SIGINT", () => this.#stop("SIGINT"));
    process.on("SIGTERM", () => this.#stop("SIGTERM"));
    if (timeoutMs !== undefined) this.#timer = clock.setTimer(timeoutMs, () => this.#stop("time-up"));
  }

  /** Aborted as soon as there is a {@link reason}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** There is an outcome: the time does not matter any more. */
  done(): void {
    this.#timer?.cancel();
  }

  #stop(reason: StopSignal | "time-up"): void {
    this.reason ??= reason;
    this.#controller.abort();
  }
}
