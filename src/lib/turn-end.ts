/** Who has something to send. */
export interface Leaving {
  leave(): void;
}

/**
 * Lets what a turn of the event loop has made leave at its end: for each connection in one write, and for all of them one
 * write after the other. What the turn still brings about a connection, its end above all, is known by then; writes
 * that follow each other cost less than writes between other work; and a peer on the same machine is woken once for all
 * of them, not for each.
 */
export class TurnEnd {
  #leaving: Leaving[] = [];
  readonly #leave = (): void => {
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const who of leaving) who.leave();
  };

  /** Called once in a turn for each. */
  add(who: Leaving): void {
    if (this.#leaving.push(who) === 1) setImmediate(this.#leave);
  }
}
