import { isUtf8 } from "node:buffer";
import { ANY_MAX_DEPTH } from "../lib/any-json.ts";
import { UNKNOWN_FIELDS_NUMBER } from "../lib/unknown-fields.ts";
import { AnyTranscoder } from "./any-transcoder.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  EMPTY,
  GIVE_UP,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from "./json-scanner.ts";
import { type FieldPlan, Kind, type MessagePlan } from "./message-plan.ts";

/**
 * Characters of a member's name at most; longer ones are of no field, and left to the plain way. Names are put together
 * letter by letter, which takes an object for each: 16 MiB of them, a few KiB of gzip, would use up the heap.
 */
const LONGEST_NAME = 1_024;

/**
 * What a {@link JsonTranscoder} makes of a body. A class, because V8 may make literals in the old generation (see
 * linked-list.ts), and each would keep its bytes for long.
 */
export class Transcoded {
  readonly binary: Uint8Array;
  /** {@link FieldPlan.bit}s of the fields that are set and not the default. */
  readonly set: number;
  /** Whether the body is the JSON that callers get, but for `wraps`. False where ProtoJSON would spell it otherwise. */
  readonly canonical: boolean;
  /** Where an Any had to be wrapped: its start, its end, and whether in a Struct (1) or a Value (0); in order. */
  readonly wraps: readonly number[];

  constructor(binary: Uint8Array, set: number, canonical: boolean, wraps: readonly number[]) {
    this.binary = binary;
    this.set = set;
    this.canonical = canonical;
    this.wraps = wraps;
  }
}

/**
 * Goes from the JSON text of a message to its protobuf bytes in one pass, without an object for anything in between.
 *
 * It does the usual and leaves the rest: what it cannot take over exactly as the plain way (any-json.ts) would, it does
 * not take at all, and {@link transcode} answers `undefined`. So it needs no rule of its own for wrong types, duplicate
 * members, numbers beyond a double or broken JSON; and a property test holds the two equal.
 *
 * A recursive descent in the order of the grammar: messages and their fields here, what stands in them in the classes that
 * it extends (any-transcoder, scalar-transcoder, struct-transcoder, json-scanner, proto-writer). They are one object,
 * because all work on the state of one body, and to hand that around would cost a call for each field.
 */
export class JsonTranscoder extends AnyTranscoder {
  /** The message as protobuf; `undefined` when the body is for the plain way, right or wrong. Never throws. */
  transcode(plan: MessagePlan, body: Uint8Array): Transcoded | undefined {
    if (!isUtf8(body)) return undefined;
    this.json = body;
    this.at = 0;
    this.pos = 0;
    this.canonical = true;
    this.wraps = [];
    try {
      const set = this.#object(plan, 0);
      this.space();
      if (this.at !== body.length) return undefined;
      return new Transcoded(this.out.slice(0, this.pos), set, this.canonical, this.wraps);
    } catch (error) {
      if (error === GIVE_UP) return undefined;
      throw error;
    } finally {
      this.json = EMPTY;
    }
  }

  /** A message: writes its fields. Returns {@link Transcoded.set}. */
  #object(plan: MessagePlan, depth: number): number {
    if (this.space() !== OPEN_BRACE || depth > ANY_MAX_DEPTH) throw GIVE_UP;
    this.at++;
    if (this.space() !== CLOSE_BRACE) return this.members(plan, depth, -1);
    this.at++;
    return 0;
  }

  protected override members(plan: MessagePlan, depth: number, types: number): number {
    let seen = 0;
    let taken = 0;
    let set = 0;
    let typesLeft = types;
    let unknown: number[] | undefined;
    let previous: FieldPlan | undefined;
    let expected = plan.first;
    for (;;) {
      if (this.space() !== QUOTE) throw GIVE_UP;
      const keyAt = this.at++;
      let field = expected;
      if (field === undefined || !this.follows(field.key)) {
        field = this.#lookUp(plan);
        if (field && previous) previous.next = field;
        else if (field) plan.first = field;
      }
      if (this.json[this.at] === COLON) this.at++;
      else this.colon();
      if (field !== undefined) {
        if (seen & field.bit) throw GIVE_UP;
        seen |= field.bit;
        if (this.space() !== 0x6e || !this.isNull()) {
          if (taken & field.slot) throw GIVE_UP;
          taken |= field.slot;
          if (this.#field(field, depth)) set |= field.bit;
        }
        previous = field;
        expected = field.next;
      } else if (types >= 0 && this.isTypeKey(keyAt)) {
        if (typesLeft-- === 0) throw GIVE_UP;
        this.skip();
      } else {
        unknown ??= [];
        unknown.push(keyAt);
        this.skip();
      }
      if (this.ends(CLOSE_BRACE)) break;
    }
    if (unknown) this.#unknownFields(unknown, depth === 0 ? 1 : depth + 1);
    return set;
  }

  /** Writes a field and its value. Returns whether there was anything to write. */
  #field(field: FieldPlan, depth: number): boolean {
    if (!field.repeated) return this.#single(field, depth === 0 ? 0 : depth + 1);
    if (this.space() !== OPEN_BRACKET) throw GIVE_UP;
    this.at++;
    if (this.space() === CLOSE_BRACKET) {
      this.at++;
      return false;
    }
    do this.#item(field, depth === 0 ? 0 : depth + 2);
    while (!this.ends(CLOSE_BRACKET));
    return true;
  }

  #item(field: FieldPlan, depth: number): void {
    if (this.#single(field, depth) || field.kind !== Kind.STRING) return;
    // The empty string is no field of its own, but it is an item.
    this.varint(field.tag);
    this.varint(0);
  }

  /** Writes a field with one value; a default one is not written. Returns whether something was. */
  #single(field: FieldPlan, depth: number): boolean {
    this.reserve(this.json.length - this.at);
    switch (field.kind) {
      case Kind.STRING: {
        const before = this.pos;
        const size = this.string(field.tag, field.lengthSize);
        if (size === 0) this.pos = before;
        else field.lengthSize = size;
        return size !== 0;
      }
      case Kind.BOOL:
        return this.bool(field.tag);
      case Kind.INT32:
      case Kind.INT64:
        return this.integer(field);
      case Kind.TIMESTAMP:
        return this.timestamp(field.tag);
      case Kind.STRING_MAP:
        return this.stringMap(field.tag, depth);
      case Kind.MESSAGE: {
        if (!field.message) throw GIVE_UP;
        const size = field.lengthSize;
        const start = this.open(field.tag, size);
        const set = this.#object(field.message, depth);
        if ((set & field.needs) !== field.needs) throw GIVE_UP;
        field.lengthSize = this.close(start, size);
        return true;
      }
      case Kind.ANY: {
        const size = field.lengthSize;
        const start = this.open(field.tag, size);
        if (depth > 0) this.any(depth);
        else this.outermostAny();
        field.lengthSize = this.close(start, size);
        return true;
      }
      default:
        throw GIVE_UP;
    }
  }

  /** Members that the message has no field for, by the positions of their keys. */
  #unknownFields(keysAt: readonly number[], depth: number): void {
    const end = this.at;
    this.reserve(0);
    const content = this.open(UNKNOWN_FIELDS_NUMBER * 8 + 2, 2);
    const keys: number[] = [];
    for (const at of keysAt) {
      this.at = at;
      this.entry(keys, depth - 1);
    }
    this.close(content, 2);
    this.at = end;
  }

  /** Finds the plan of the member whose name begins here, and goes behind its closing quote. */
  #lookUp(plan: MessagePlan): FieldPlan | undefined {
    const { json } = this;
    let name = "";
    let byte = json[this.at] ?? 0;
    for (; byte !== QUOTE; byte = json[++this.at] ?? 0) {
      if (byte === BACKSLASH || byte < 0x20 || name.length === LONGEST_NAME) throw GIVE_UP;
      // Not in one piece by a Buffer, which cost a list of 20 as much as all the rest of it.
      name += String.fromCharCode(byte);
    }
    this.at++;
    return plan.byName.get(name);
  }
}
