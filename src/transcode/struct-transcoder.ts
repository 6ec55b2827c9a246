import { ANY_MAX_DEPTH } from "../lib/any-json.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  GIVE_UP,
  JsonScanner,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from "./json-scanner.ts";

/** Members of an object whose names are compared with each other, times two. */
const MAX_KEYS = 2 * 64;

export const NULL = new TextEncoder().encode("null");
export const TRUE = new TextEncoder().encode("true");
export const FALSE = new TextEncoder().encode("false");

/** Writes any JSON as google.protobuf.Struct, Value and ListValue. Tags are those of google/protobuf/struct.proto. */
export class StructTranscoder extends JsonScanner {
  /** The content of a google.protobuf.Struct. */
  protected struct(depth: number): void {
    if (this.space() !== OPEN_BRACE) throw GIVE_UP;
    this.at++;
    if (this.space() === CLOSE_BRACE) {
      this.at++;
      return;
    }
    const keys: number[] = [];
    do this.entry(keys, depth);
    while (!this.ends(CLOSE_BRACE));
  }

  /** An entry of a Struct. Equal keys are for the plain way, which knows that the last one counts. */
  protected entry(keys: number[], depth: number): void {
    if (this.space() !== QUOTE) throw GIVE_UP;
    this.reserve(this.json.length - this.at);
    const entry = this.open(0x0a, 1);
    const start = this.at;
    this.string(0x0a, 1);
    this.addKey(keys, start);
    this.colon();
    const content = this.open(0x12, 1);
    this.value(depth + 1);
    this.close(content, 1);
    this.close(entry, 1);
  }

  protected addKey(keys: number[], start: number): void {
    const { json } = this;
    const length = this.at - start;
    if (keys.length > MAX_KEYS) throw GIVE_UP;
    for (let at = start; at < this.at; at++) if (json[at] === BACKSLASH) throw GIVE_UP;
    for (let i = 0; i < keys.length; i += 2) {
      const other = keys[i] ?? 0;
      if (keys[i + 1] !== length) continue;
      let same = 0;
      while (same < length && json[start + same] === json[other + same]) same++;
      if (same === length) throw GIVE_UP;
    }
    keys.push(start, length);
  }

  /** The content of a google.protobuf.Value. */
  protected value(depth: number): void {
    this.reserve(this.json.length - this.at);
    switch (this.space()) {
      case QUOTE:
        this.string(0x1a, 1);
        return;
      case OPEN_BRACE:
      case OPEN_BRACKET: {
        if (depth > ANY_MAX_DEPTH) throw GIVE_UP;
        const isObject = this.json[this.at] === OPEN_BRACE;
        const content = this.open(isObject ? 0x2a : 0x32, 1);
        if (isObject) this.struct(depth);
        else this.listValue(depth);
        this.close(content, 1);
        return;
      }
      case 0x6e:
        this.word(NULL);
        this.varint(0x08);
        this.varint(0);
        return;
      case 0x74:
        this.word(TRUE);
        this.varint(0x20);
        this.varint(1);
        return;
      case 0x66:
        this.word(FALSE);
        this.varint(0x20);
        this.varint(0);
        return;
      default: {
        const number = this.number();
        this.varint(0x11);
        this.double(number);
      }
    }
  }

  /** The content of a google.protobuf.ListValue. */
  protected listValue(depth: number): void {
    this.at++;
    if (this.space() === CLOSE_BRACKET) {
      this.at++;
      return;
    }
    do {
      this.reserve(0);
      const content = this.open(0x0a, 1);
      this.value(depth + 1);
      this.close(content, 1);
    } while (!this.ends(CLOSE_BRACKET));
  }
}
