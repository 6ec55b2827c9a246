/** Something that is due at a moment. `place` belongs to the queue: below 0 while it stands in none. */
export interface Due {
  due: number;
  place: number;
}

/** A priority queue by `due`, earliest first: a binary heap whose entries know their place, so that any can leave. */
export class DueQueue<T extends Due> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The entry that is due first. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  /** Puts an entry in its place by its present `due`, whether it is in the queue or not. */
  put(entry: T): void {
    if (entry.place < 0) {
      entry.place = this.#heap.length;
      this.#heap.push(entry);
    }
    this.#up(entry);
    this.#down(entry);
  }

  /** Takes an entry out; does nothing when it is not in. */
  remove(entry: T): void {
    const place = entry.place;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#heap[place] = last;
    last.place = place;
    this.#up(last);
    this.#down(last);
  }

  #up(entry: T): void {
    while (entry.place > 0) {
      const parent = this.#heap[(entry.place - 1) >> 1];
      if (!parent || parent.due <= entry.due) return;
      this.#swap(entry, parent);
    }
  }

  #down(entry: T): void {
    for (;;) {
      const left = this.#heap[2 * entry.place + 1];
      const right = this.#heap[2 * entry.place + 2];
      const least = right && left && right.due < left.due ? right : left;
      if (!least || least.due >= entry.due) return;
      this.#swap(entry, least);
    }
  }

  #swap(a: T, b: T): void {
    const place = a.place;
    a.place = b.place;
    b.place = place;
    this.#heap[a.place] = a;
    this.#heap[b.place] = b;
  }
}
