import type { Clock, Timer } from "../lib/clock.ts";
import type { TokenSource } from "./token-source.ts";

/** Between two attempts at least, in milliseconds; the source paces a failing token service by itself. */
const PAUSE_MS = 1_000;

/**
 * Asks for the gateway's first token until there is one, so that readiness can wait for it: a gateway without
 * credentials would only turn callers away.
 */
export class FirstToken {
  /** Resolves once there was a token; never after {@link stop}. Does not reject. */
  readonly had: Promise<void>;
  readonly #tokens: TokenSource;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(tokens: TokenSource, clock: Clock) {
    this.#tokens = tokens;
    this.#clock = clock;
    this.had = new Promise((resolve) => void this.#ask(resolve));
  }

  /** Asks no more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #ask(resolve: () => void): Promise<void> {
    try {
      await this.#tokens.get();
      if (!this.#stopped) resolve();
    } catch {
      // The source has told the operator.
      if (this.#stopped) return;
      const delay = Math.max(this.#tokens.retryAfterMs, PAUSE_MS);
      this.#timer = this.#clock.setTimer(delay, () => void this.#ask(resolve));
    }
  }
}
