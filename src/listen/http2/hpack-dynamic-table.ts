import { ENTRY_OVERHEAD } from "./hpack-static-table.ts";

/**
 * The dynamic table of HPACK (RFC 7541 §2.3.2): a ring, so that a new entry moves none of the others. Clients add an
 * entry with nearly every call: gRPC's Go library puts each `grpc-timeout` into the table.
 */
export class HpackDynamicTable {
  /** Entries. */
  length = 0;
  /** Counts what has changed the table: two equal numbers, and an index means the same field. */
  changes = 0;
  /** Bytes that it may hold, in the counting of RFC 7541 §4.1. */
  #capacity: number;
  #bytes = 0;
  // Rings of one size, a power of two; `newest` is where the last entry stands.
  #names: string[];
  #values: string[];
  #newest = 0;
  #mask: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    const room = roomFor(capacity);
    this.#names = new Array(room).fill("");
    this.#values = new Array(room).fill("");
    this.#mask = room - 1;
  }

  /** Name of an entry; 0 is the newest. Only for `index` below {@link length}. */
  name(index: number): string {
    return this.#names[(this.#newest - index) & this.#mask] as string;
  }

  value(index: number): string {
    return this.#values[(this.#newest - index) & this.#mask] as string;
  }

  /** Adds an entry after making room for it; one that is larger than the table empties it and is not added (§4.4). */
  add(name: string, value: string): void {
    const bytes = name.length + value.length + ENTRY_OVERHEAD;
    this.changes++;
    this.#shrinkTo(this.#capacity - bytes);
    if (bytes > this.#capacity) return;
    this.#newest = (this.#newest + 1) & this.#mask;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#bytes += bytes;
    this.length++;
  }

  /** Changes how much it may hold, and drops what is too much (§4.3). */
  resize(capacity: number): void {
    this.changes++;
    this.#capacity = capacity;
    this.#shrinkTo(capacity);
    if (roomFor(capacity) > this.#mask + 1) this.#grow(roomFor(capacity));
  }

  #shrinkTo(bytes: number): void {
    while (this.#bytes > bytes && this.length > 0) {
      const oldest = (this.#newest - --this.length) & this.#mask;
      this.#bytes -=
        (this.#names[oldest] as string).length + (this.#values[oldest] as string).length + ENTRY_OVERHEAD;
      // Up to 4 KiB that nobody can refer to any more.
      this.#names[oldest] = this.#values[oldest] = "";
    }
  }

  #grow(room: number): void {
    const names: string[] = new Array(room).fill("");
    const values: string[] = new Array(room).fill("");
    for (let index = 0; index < this.length; index++) {
      names[this.length - 1 - index] = this.name(index);
      values[this.length - 1 - index] = this.value(index);
    }
    this.#names = names;
    this.#values = values;
    this.#mask = room - 1;
    this.#newest = (this.length - 1) & this.#mask;
  }
}

/** How many entries fit, to the next power of two: none is smaller than its overhead. */
function roomFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(capacity / ENTRY_OVERHEAD, 1)));
}
