/**
 * Makes the ids of calls that bring none: UUIDs of one random beginning for the process and a count. As unique among
 * processes and restarts as random ones, at half their cost and as shorter-lived garbage; that they can be guessed gives
 * nobody anything.
 */
export class RequestIds {
  readonly #beginning: string;
  #count = 0;

  /** `uuid`: a random one, version 4. */
  constructor(uuid: string) {
    this.#beginning = uuid.slice(0, -COUNT_DIGITS);
  }

  /** The next id, in the 36 characters of a UUID. */
  next(): string {
    return this.#beginning + (++this.#count).toString(16).padStart(COUNT_DIGITS, "0");
  }
}

/** The last group of a UUID: 2^48 calls, which take years at any rate. */
const COUNT_DIGITS = 12;
