import type { FieldLimits } from "./field-limits.ts";
import { BYTES, COLON, CR, LF, SPACE, TAB, TOKEN, UPPER, VALUE } from "./grammar.ts";

/** Why a block is none. */
export type FieldProblem = "malformed" | "too large";

/**
 * A second line of these is a second opinion on where the message ends or belongs, and what passed it on may have read
 * the other one. Of other fields all lines are joined: two tokens or two types are none, and the RPC path says so.
 */
const SINGLE = new Set(["host", "content-length", "transfer-encoding", "expect"]);

/** A record that inherits nothing and that V8 keeps in its fast form, which it does not for `Object.create(null)`. */
export class HeaderRecord {
  [name: string]: string | undefined;
}
Object.setPrototypeOf(HeaderRecord.prototype, null);
Reflect.deleteProperty(HeaderRecord.prototype, "constructor");

/**
 * Field lines (RFC 9112 §5) in two passes: the first looks at every byte and writes down where names and values are, the
 * second, once the last line is there, makes strings of them. One object serves all connections, one block at a time.
 */
export class FieldLines {
  /** Of each line: start and end of the name, start and end of the value; the name's end is negative if it has capitals. */
  #places = new Int32Array(4 * 128);
  #count = 0;

  /**
   * Looks at the lines from `start` on. Returns where the empty line after them ends; `undefined` if it is not there
   * yet. `counted`: bytes that already count as part of the header list.
   */
  scan(
    bytes: Buffer,
    start: number,
    end: number,
    { headerListBytes, headerFields }: FieldLimits,
    counted: number,
  ): number | FieldProblem | undefined {
    let size = counted;
    let at = start;
    for (this.#count = 0; ; this.#count++) {
      if (end - at < 2) return undefined;
      if (bytes[at] === CR) return bytes[at + 1] === LF ? at + 2 : "malformed";
      const name = at;
      let kinds = 0;
      for (let kind = 0; at < end; at++, kinds |= kind) {
        kind = BYTES[bytes[at] as number] as number;
        if ((kind & TOKEN) === 0) break;
      }
      const nameEnd = at;
      if (at === end) return undefined;
      if (at === name || bytes[at] !== COLON) return "malformed";
      do at++;
      while (at < end && isBlank(bytes[at]));
      const value = at;
      while (at < end && (BYTES[bytes[at] as number] as number) & VALUE) at++;
      if (end - at < 2) return at < end && bytes[at] !== CR ? "malformed" : undefined;
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return "malformed";
      let valueEnd = at;
      while (valueEnd > value && isBlank(bytes[valueEnd - 1])) valueEnd--;
      at += 2;
      size += nameEnd - name + valueEnd - value;
      if (size >= headerListBytes || this.#count >= headerFields) return "too large";
      this.#put(name, kinds & UPPER ? -nameEnd : nameEnd, value, valueEnd);
    }
  }

  /** The scanned lines, from `start` to `end`; `undefined` when a field that has one value has two. */
  toRecord(bytes: Buffer, start: number, end: number): HeaderRecord | undefined {
    const text = bytes.toString("latin1", start, end);
    const places = this.#places;
    const headers = new HeaderRecord();
    for (let at = 0; at < 4 * this.#count; at += 4) {
      const first = (places[at] as number) - start;
      const nameEnd = places[at + 1] as number;
      const name =
        nameEnd < 0 ? text.slice(first, -nameEnd - start).toLowerCase() : text.slice(first, nameEnd - start);
      const value = text.slice((places[at + 2] as number) - start, (places[at + 3] as number) - start);
      const present = headers[name];
      if (present === undefined) headers[name] = value;
      else if (SINGLE.has(name)) return undefined;
      else headers[name] = present + (name === "cookie" ? "; " : ", ") + value;
    }
    return headers;
  }

  #put(name: number, nameEnd: number, value: number, valueEnd: number): void {
    const at = 4 * this.#count;
    if (at === this.#places.length) {
      const larger = new Int32Array(2 * at);
      larger.set(this.#places);
      this.#places = larger;
    }
    this.#places[at] = name;
    this.#places[at + 1] = nameEnd;
    this.#places[at + 2] = value;
    this.#places[at + 3] = valueEnd;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}
