import type { Clock, Timer } from "../../lib/clock.ts";

/** How often unused connections are looked for, milliseconds. */
const SWEEP_MS = 250;

/** Something that goes when it has been unused for too long. */
interface Ageing {
  age(ms: number): void;
}

/** The connections that are open. One timer makes all of them older: a timer for each would be set with every answer. */
export class OpenConnections {
  readonly #clock: Clock;
  readonly #open = new Set<Ageing>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(connection: Ageing): void {
    this.#open.add(connection);
    this.#timer ??= this.#clock.setTimer(SWEEP_MS, this.#sweep);
  }

  delete(connection: Ageing): void {
    this.#open.delete(connection);
    if (this.#open.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    for (const connection of this.#open) connection.age(SWEEP_MS);
    if (this.#open.size > 0) this.#timer = this.#clock.setTimer(SWEEP_MS, this.#sweep);
  };
}
