/**
 * A set that has one member nearly always, and then consists of nothing else. For what is made for each call, instead of
 * an array: those V8 may make in the old generation (see linked-list.ts), and one that was emptied there still points to
 * what it held.
 */
export class SmallSet<T extends object> {
  #one: T | undefined;
  #more: Set<T> | undefined;

  get size(): number {
    return this.#more?.size ?? (this.#one ? 1 : 0);
  }

  /** The member that has been in it for longest. */
  get first(): T | undefined {
    return this.#more ? this.#more.values().next().value : this.#one;
  }

  add(member: T): void {
    if (this.#more) this.#more.add(member);
    else if (this.#one && this.#one !== member) this.#more = new Set([this.#one, member]);
    else this.#one = member;
  }

  /** False: it is no member. */
  delete(member: T): boolean {
    if (this.#more) return this.#more.delete(member);
    if (this.#one !== member) return false;
    this.#one = undefined;
    return true;
  }

  some(test: (member: T) => boolean): boolean {
    if (!this.#more) return this.#one !== undefined && test(this.#one);
    for (const member of this.#more) if (test(member)) return true;
    return false;
  }

  /** Members may leave meanwhile. */
  forEach(fn: (member: T) => void): void {
    const one = this.#one;
    const more = this.#more;
    if (more) more.forEach(fn);
    else if (one) fn(one);
  }

  clear(): void {
    this.#one = undefined;
    this.#more = undefined;
  }
}
