import type { Reader } from "./read-collapse.ts";

/** Those who share a read: nearly always one, and then no Set is made for him. */
export class Readers {
  private first: Reader | undefined;
  private more: Set<Reader> | undefined;

  get size(): number {
    return this.more?.size ?? (this.first ? 1 : 0);
  }

  add(reader: Reader): void {
    if (this.more) this.more.add(reader);
    else if (this.first) this.more = new Set([this.first, reader]);
    else this.first = reader;
  }

  /** False: he is not among them. */
  delete(reader: Reader): boolean {
    if (this.more) return this.more.delete(reader);
    if (this.first !== reader) return false;
    this.first = undefined;
    return true;
  }

  forEach(fn: (reader: Reader) => void): void {
    if (this.more) this.more.forEach(fn);
    else if (this.first) fn(this.first);
  }

  clear(): void {
    this.first = undefined;
    this.more = undefined;
  }
}
