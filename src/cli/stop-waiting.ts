import type { Timer } from "../lib/clock.ts";
import type { CommandIo } from "./io.ts";
import type { ProcessEvents, StopSignal } from "./run-until-stopped.ts";

/** Why a command stops waiting before there is an outcome. */
type StopReason = StopSignal | "SIGPIPE" | "time-up";

/** What makes a command stop waiting: the time is up, the user has had enough, or nobody reads what it writes. */
export class StopWaiting {
  /** Why it stopped; `undefined` while it goes on. */
  reason: StopReason | undefined;
  readonly #controller = new AbortController();
  readonly #timer: Timer | undefined;

  /** `timeoutMs` undefined: without end. */
  constructor(
    process: ProcessEvents,
    { clock, outputGone }: Pick<CommandIo, "clock" | "outputGone">,
    timeoutMs: number | undefined,
  ) {
    process.on("SIGINT", () => this.#stop("SIGINT"));
    process.on("SIGTERM", () => this.#stop("SIGTERM"));
    outputGone?.addEventListener("abort", () => this.#stop("SIGPIPE"));
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

  #stop(reason: StopReason): void {
    this.reason ??= reason;
    this.#controller.abort();
  }
}
