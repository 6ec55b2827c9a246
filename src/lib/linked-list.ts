/**
 * A place in a {@link LinkedList}.
 *
 * A class, not a literal: of a literal V8 counts how many survive, and if nearly all do for a moment (as at a start,
 * while connections are made) it makes them in the old generation from then on. Each of those keeps the whole call
 * that it points to until the next full collection, however dead the call is.
 */
export class Link<T> {
  readonly value: T;
  before: Link<T> | undefined;
  after: Link<T> | undefined = undefined;
  linked = true;

  constructor(value: T, before: Link<T> | undefined) {
    this.value = value;
    this.before = before;
  }
}

/**
 * Values in the order in which they came, of which any may leave at any time.
 *
 * For what comes and goes with every call, instead of a Set or Map: V8 gives those a new table every few hundred
 * changes, and each discarded table still points to its successor and to what it held. Once one of them has reached
 * the old generation, all later ones follow with their calls, dead as they are, until the next full collection: a
 * fifth of all that a cancel makes was promoted so.
 */
export class LinkedList<T> {
  size = 0;
  first: Link<T> | undefined;
  #last: Link<T> | undefined;

  /** Appends a value. */
  add(value: T): Link<T> {
    const link = new Link(value, this.#last);
    if (this.#last) this.#last.after = link;
    else this.first = link;
    this.#last = link;
    this.size++;
    return link;
  }

  /** Takes a value out; does nothing when it is out already. */
  remove(link: Link<T>): void {
    if (!link.linked) return;
    const { before, after } = link;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.#last = before;
    // A link that is dead and old must not keep its young neighbours.
    link.before = undefined;
    link.after = undefined;
    link.linked = false;
    this.size--;
  }
}
