import type { Clock } from "../lib/clock.ts";
import type { ListenerLimits } from "./limits.ts";

/**
 * When connections have to go: each at its age, all of them once the listener drains. What is under way on one is
 * finished first, by whoever carries it.
 */
export class Departure {
  /** The listener drains. */
  everyone = false;
  readonly #clock: Clock;
  readonly #ageMs: number;
  readonly #random: () => number;

  constructor(clock: Clock, { connectionAgeMs }: ListenerLimits, random: () => number) {
    this.#clock = clock;
    this.#ageMs = connectionAgeMs;
    this.#random = random;
  }

  /**
   * When a connection that opens now has to go, on {@link Clock.monotonic}: a tenth sooner or later than the age, so
   * that connections which were opened together do not come back together (gRFC A9).
   */
  timeToGo(): number {
    return this.#clock.monotonic() + this.#ageMs * (0.9 + 0.2 * this.#random());
  }

  /** Whether a connection with this {@link timeToGo} should be used no longer. */
  due(timeToGo: number): boolean {
    return this.everyone || this.#clock.monotonic() >= timeToGo;
  }
}
