/** A request in the background: a poll, which no caller waits for alone. */
export interface BackgroundRequest {
  /**
   * Whether it has yet to be handed to a connection, be it for want of one or of a token. While it waits, it can be given
   * up at no cost, and what it will read is later than now. Set and reset by who sends it.
   */
  waits: boolean;
}

/**
 * One connection of so many is kept from polls, and one of so many is theirs although calls wait. An eighth of the
 * default 64 is what it takes: even where answers need 2 s, it brings the 64 polls that a region may have under way
 * (waiting/schedule/read-scope.ts) through in 16 s, and each is given up after 20. Calls that wait do so for an eighth
 * longer.
 */
const PART = 8;

/**
 * How many connections polls may hold, so that neither they nor calls starve: calls go first, but not always, and polls
 * never hold every connection. Counts alone, since every request passes by: no clock is read.
 */
export class BackgroundShare {
  readonly #connections: number;
  #held = 0;
  /** Connections that calls were given while a poll waited, since a poll last was. */
  #passed = 0;

  constructor(connections: number) {
    this.#connections = connections;
  }

  /** A poll has been given a connection. */
  taken(): void {
    this.#held++;
  }

  /** A poll's connection is free. */
  returned(): void {
    this.#held--;
  }

  /** Whether a poll may have a connection that no call waits for. Of fewer than {@link PART} none is kept from them. */
  get hasRoom(): boolean {
    return this.#held < this.#connections - Math.floor(this.#connections / PART);
  }

  /**
   * Whether a poll is given a connection that a call waits for, too; to be asked once for each that becomes free. Two
   * bounds: by the first alone slow polls would gather on most connections, by the second alone one connection would be
   * the polls' for ever.
   */
  takeTurn(): boolean {
    this.#passed++;
    if (this.#passed < PART || this.#held * PART >= this.#connections) return false;
    this.#passed = 0;
    return true;
  }
}
