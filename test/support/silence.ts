/** Silence is counted in so many parts. */
const PARTS = 10;

/**
 * Calls back once nothing has been heard for so many milliseconds, a tenth more at most. A pause of this process, for want
 * of a core, counts as one part only: what came meanwhile has not been read, and is not the other side's silence.
 */
export class Silence {
  #parts = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number, onSilence: () => void) {
    this.#timer = setInterval(() => {
      if (++this.#parts <= PARTS) return;
      this.stop();
      onSilence();
    }, ms / PARTS);
  }

  /** Begins anew. */
  heard(): void {
    this.#parts = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
