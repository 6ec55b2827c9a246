import { exactNumber } from "../lib/json-document.ts";
import { ProtoWriter } from "./proto-writer.ts";

/** Thrown where the plain way has to take over. */
export const GIVE_UP = new Error("left to the plain way");

export const EMPTY: Uint8Array = new Uint8Array();

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;

/** Digits that a double holds whatever they are. */
export const SAFE_DIGITS = 15;

/**
 * Goes over JSON text, byte by byte, and copies its scalars. The methods that take a token throw {@link GIVE_UP} where
 * another one stands.
 *
 * It extends the writer, where another object would do, so that the positions in both texts, which every byte moves, are
 * fields of one object.
 */
export class JsonScanner extends ProtoWriter {
  /** UTF-8 without errors. */
  protected json: Uint8Array = EMPTY;
  protected at = 0;

  /** Goes to the next byte that is no blank, and returns it. */
  protected space(): number {
    const { json } = this;
    let { at } = this;
    let byte = json[at];
    if (byte !== undefined && byte > 0x20) return byte;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = json[++at];
    this.at = at;
    return byte ?? -1;
  }

  protected colon(): void {
    if (this.space() !== COLON) throw GIVE_UP;
    this.at++;
  }

  /** Whether the closing bracket comes, and goes over it or over the comma. */
  protected ends(bracket: number): boolean {
    const next = this.space();
    if (next !== COMMA && next !== bracket) throw GIVE_UP;
    this.at++;
    return next === bracket;
  }

  protected word(bytes: Uint8Array): void {
    if (!this.follows(bytes) || !isDelimiter(this.json[this.at])) throw GIVE_UP;
  }

  /** Goes over `bytes` if they follow. */
  protected follows(bytes: Uint8Array): boolean {
    if (!this.followsAt(this.at, bytes)) return false;
    this.at += bytes.length;
    return true;
  }

  protected followsAt(at: number, bytes: Uint8Array): boolean {
    const { json } = this;
    for (let i = 0; i < bytes.length; i++) if (json[at + i] !== bytes[i]) return false;
    return true;
  }

  /** Whether `bytes` are there. From the end: names of types differ there. */
  protected isAt(at: number, bytes: Uint8Array): boolean {
    const { json } = this;
    for (let i = bytes.length - 1; i >= 0; i--) if (json[at + i] !== bytes[i]) return false;
    return true;
  }

  /** Goes over a value without looking into it; whoever writes it later does. */
  protected skip(): void {
    let open = 0;
    do {
      const next = this.space();
      if (next === QUOTE) {
        this.skipString();
        continue;
      }
      if (next === -1) throw GIVE_UP;
      if (next === OPEN_BRACE || next === OPEN_BRACKET) open++;
      else if (next === CLOSE_BRACE || next === CLOSE_BRACKET) open--;
      else if (open === 0) {
        while (this.at < this.json.length && !isDelimiter(this.json[this.at])) this.at++;
        return;
      }
      this.at++;
    } while (open > 0);
  }

  protected skipString(): void {
    const { json } = this;
    let at = this.at + 1;
    let byte = json[at];
    while (byte !== QUOTE) {
      if (byte === undefined || byte < 0x20) throw GIVE_UP;
      if (byte === BACKSLASH) at++;
      byte = json[++at];
    }
    this.at = at + 1;
  }

  /** A string with its tag. Returns the bytes of its length; 0 for the empty string, which is written too. */
  protected string(tag: number, size: number): number {
    const { json } = this;
    if (json[this.at] !== QUOTE) throw GIVE_UP;
    const start = this.open(tag, size);
    const { out } = this;
    let at = this.at + 1;
    let pos = start;
    let byte = json[at] ?? 0;
    while (byte !== QUOTE && byte !== BACKSLASH && byte > 0x1f) {
      out[pos++] = byte;
      byte = json[++at] ?? 0;
    }
    if (byte === QUOTE) {
      this.pos = pos;
      this.at = at + 1;
    } else if (byte === BACKSLASH) this.escapedString(start);
    else throw GIVE_UP;
    const empty = this.pos === start;
    const needed = this.close(start, size);
    return empty ? 0 : needed;
  }

  /** Writes the content of a string with escapes to `start`. */
  protected escapedString(start: number): void {
    const { json } = this;
    const from = this.at;
    this.skipString();
    const text = parseString(Buffer.from(json.buffer, json.byteOffset + from, this.at - from).toString());
    this.pos = start + new TextEncoder().encodeInto(text, this.out.subarray(start)).written;
  }

  /** A number as a Value holds it. */
  protected number(): number {
    const { json } = this;
    const start = this.at;
    let at = start;
    let value = 0;
    for (let digit = (json[at] ?? 0) - 0x30; digit >= 0 && digit <= 9; digit = (json[++at] ?? 0) - 0x30)
      value = value * 10 + digit;
    const length = at - start;
    if (
      length > 0 &&
      length <= SAFE_DIGITS &&
      isDelimiter(json[at]) &&
      (length === 1 || json[start] !== 0x30)
    ) {
      this.at = at;
      return value;
    }
    while (at < json.length && !isDelimiter(json[at])) at++;
    const text = Buffer.from(json.buffer, json.byteOffset + start, at - start).toString("latin1");
    if (!NUMBER.test(text)) throw GIVE_UP;
    const exact = exactNumber(text);
    if (typeof exact === "string") throw GIVE_UP;
    this.at = at;
    return exact;
  }
}

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** What may follow a number or a word: a blank, a comma, a closing bracket, the end. */
export function isDelimiter(byte: number | undefined): boolean {
  return (
    byte === COMMA ||
    byte === CLOSE_BRACE ||
    byte === CLOSE_BRACKET ||
    byte === undefined ||
    byte === 0x20 ||
    byte === 0x0a ||
    byte === 0x0d ||
    byte === 0x09
  );
}

/** A string with escapes. Half a surrogate pair has no UTF-8. */
function parseString(token: string): string {
  let text: unknown;
  try {
    text = JSON.parse(token);
  } catch {
    throw GIVE_UP;
  }
  if (typeof text !== "string" || !text.isWellFormed()) throw GIVE_UP;
  return text;
}
