/** A connection that has a request to send. */
interface Sender {
  leave(): void;
}

/**
 * Lets requests leave together at the end of the turn of the event loop in which they came. What the turn still brings
 * about their connections, the end of an idle one above all, is known by then; and writes that follow each other cost
 * less than writes between other work.
 */
export class TurnEnd {
  #senders: Sender[] = [];
  readonly #leave = (): void => {
    const senders = this.#senders;
    this.#senders = [];
    for (const sender of senders) sender.leave();
  };

  add(sender: Sender): void {
    if (this.#senders.push(sender) === 1) setImmediate(this.#leave);
  }
}
