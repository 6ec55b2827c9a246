import { isUtf8 } from "node:buffer";
import { toBinary } from "@bufbuild/protobuf";
import { AnySchema, hasCustomJsonRepresentation } from "@bufbuild/protobuf/wkt";
import { ANY_MAX_DEPTH, readAny } from "../lib/any-json.ts";
import { registry } from "../lib/any-registry.ts";
import { type JsonDocument, readJson } from "../lib/json-document.ts";
import { UNKNOWN_FIELDS_NUMBER } from "../lib/unknown-fields.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  EMPTY,
  GIVE_UP,
  isDelimiter,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SAFE_DIGITS,
} from "./json-scanner.ts";
import { type FieldPlan, Kind, type MessagePlan, planOf } from "./message-plan.ts";
import { readNanos, readSeconds, UTC } from "./read-timestamp.ts";
import { FALSE, NULL, StructTranscoder, TRUE } from "./struct-transcoder.ts";

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

/** Kept per process: as many ways to spell a `@type` as are worth remembering. */
const MAX_TYPES = 256;

const utf8 = (text: string) => new TextEncoder().encode(text);
const TYPE_KEY = utf8('@type"');
const WRAPPERS = [
  utf8("type.googleapis.com/google.protobuf.Value"),
  utf8("type.googleapis.com/google.protobuf.Struct"),
];

/** A type that has stood in an Any. */
interface KnownType {
  readonly url: Uint8Array;
  readonly plan: MessagePlan;
  lengthSize: number;
}

/**
 * Goes from the JSON text of a message to its protobuf bytes in one pass, without an object for anything in between.
 *
 * It does the usual and leaves the rest: what it cannot take over exactly as the plain way (any-json.ts) would, it does
 * not take at all, and {@link transcode} answers `undefined`. So it needs no rule of its own for wrong types, duplicate
 * members, numbers beyond a double or broken JSON; and a property test holds the two equal.
 *
 * Longer than other files: it is one recursive descent, in the order of the grammar. What is no part of that stands apart
 * already (json-scanner, proto-writer, struct-transcoder, message-plan); its methods call each other through the state of one
 * body, so that a further split would hand that state around and cost a call for each field.
 */
export class JsonTranscoder extends StructTranscoder {
  private canonical = true;
  private wraps: number[] = [];
  private readonly types: KnownType[] = [];

  /** The message as protobuf; `undefined` when the body is for the plain way, right or wrong. Never throws. */
  transcode(plan: MessagePlan, body: Uint8Array): Transcoded | undefined {
    if (!isUtf8(body)) return undefined;
    this.json = body;
    this.at = 0;
    this.pos = 0;
    this.canonical = true;
    this.wraps = [];
    try {
      const set = this.object(plan, 0);
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
  private object(plan: MessagePlan, depth: number): number {
    if (this.space() !== OPEN_BRACE || depth > ANY_MAX_DEPTH) throw GIVE_UP;
    this.at++;
    if (this.space() !== CLOSE_BRACE) return this.members(plan, depth, -1);
    this.at++;
    return 0;
  }

  /**
   * The members of a message, from the first one's quote to the closing brace. `types` is how many `@type`s are to
   * come in an Any; -1 where the message is in none.
   */
  private members(plan: MessagePlan, depth: number, types: number): number {
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
        field = this.lookUp(plan);
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
          if (this.field(field, depth)) set |= field.bit;
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
    if (unknown) this.unknownFields(unknown, depth === 0 ? 1 : depth + 1);
    return set;
  }

  /** Writes a field and its value. Returns whether there was anything to write. */
  private field(field: FieldPlan, depth: number): boolean {
    if (!field.repeated) return this.single(field, depth === 0 ? 0 : depth + 1);
    if (this.space() !== OPEN_BRACKET) throw GIVE_UP;
    this.at++;
    if (this.space() === CLOSE_BRACKET) {
      this.at++;
      return false;
    }
    do this.item(field, depth === 0 ? 0 : depth + 2);
    while (!this.ends(CLOSE_BRACKET));
    return true;
  }

  private item(field: FieldPlan, depth: number): void {
    if (this.single(field, depth) || field.kind !== Kind.STRING) return;
    // The empty string is no field of its own, but it is an item.
    this.varint(field.tag);
    this.varint(0);
  }

  /** Writes a field with one value; a default one is not written. Returns whether something was. */
  private single(field: FieldPlan, depth: number): boolean {
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
        const set = this.object(field.message, depth);
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

  /** The content of an Any that is in no other. What is unusual about it costs it the quick way, but not the whole body. */
  private outermostAny(): void {
    this.space();
    const { at, pos } = this;
    const wraps = this.wraps.length;
    try {
      this.any(1);
    } catch (error) {
      if (error !== GIVE_UP) throw error;
      this.at = at;
      this.pos = pos;
      this.wraps.length = wraps;
      this.plainAny();
    }
  }

  private plainAny(): void {
    const { json } = this;
    const start = this.at;
    this.skip();
    const text = Buffer.from(json.buffer, json.byteOffset + start, this.at - start).toString();
    let document: JsonDocument;
    try {
      document = readJson(text);
    } catch {
      throw GIVE_UP;
    }
    const content = toBinary(AnySchema, readAny(document.root, document).message);
    this.reserve(content.length);
    this.bytes(content);
    this.canonical = false;
  }

  /** The content of an Any. */
  private any(depth: number): void {
    if (depth > ANY_MAX_DEPTH) throw GIVE_UP;
    if (this.space() !== OPEN_BRACE) {
      this.wrap(this.at, 0, depth);
      return;
    }
    const start = this.at++;
    if (this.space() === CLOSE_BRACE) {
      this.at++;
      return;
    }
    const first = this.at;
    const typeFirst = this.json[first] === QUOTE && this.followsAt(first + 1, TYPE_KEY);
    const type = this.findType();
    if (!type) {
      this.wrap(start, 1, depth);
      return;
    }
    this.tagged(0x0a, type.url);
    const before = this.pos;
    const size = type.lengthSize;
    const content = this.open(0x12, size);
    if (!typeFirst) this.at = first;
    else if (this.ends(CLOSE_BRACE)) {
      this.pos = before;
      return;
    } else this.space();
    this.members(type.plan, depth, typeFirst ? 0 : 1);
    if (this.pos === content) this.pos = before;
    else type.lengthSize = this.close(content, size);
  }

  /**
   * The type that `@type` names, wherever it stands among the members; `undefined` when it has to be wrapped. Leaves
   * the position behind its value where it was the first member.
   */
  private findType(): KnownType | undefined {
    for (;;) {
      if (this.space() !== QUOTE) throw GIVE_UP;
      const isType = this.followsAt(this.at + 1, TYPE_KEY);
      this.skipString();
      this.colon();
      if (isType) return this.space() === QUOTE ? this.typeUrl() : undefined;
      this.skip();
      if (this.ends(CLOSE_BRACE)) return undefined;
    }
  }

  private typeUrl(): KnownType | undefined {
    const { json, types } = this;
    const start = this.at + 1;
    for (const type of types) {
      const { length } = type.url;
      if (json[start + length] !== QUOTE || !this.isAt(start, type.url)) continue;
      this.at = start + length + 1;
      return type;
    }
    this.skipString();
    const length = this.at - 1 - start;
    const text = Buffer.from(json.buffer, json.byteOffset + start, length).toString();
    if (text.includes("\\")) throw GIVE_UP;
    const slash = text.lastIndexOf("/");
    const desc = slash < 0 ? undefined : registry.getMessage(text.slice(slash + 1));
    if (!desc) return undefined;
    const plan = planOf(desc);
    // Types whose JSON form is their own are rare in an Any: left to the plain way.
    if (!plan || hasCustomJsonRepresentation(desc)) throw GIVE_UP;
    const type: KnownType = { url: utf8(text), plan, lengthSize: 1 };
    if (types.length < MAX_TYPES) types.push(type);
    return type;
  }

  /** Wraps what begins at `start` in a Struct (1) or a Value (0). */
  private wrap(start: number, wrapper: 0 | 1, depth: number): void {
    const url = WRAPPERS[wrapper];
    if (!url) throw GIVE_UP;
    this.at = start;
    this.tagged(0x0a, url);
    const content = this.open(0x12, 2);
    if (wrapper === 1) this.struct(depth);
    else this.value(depth);
    this.close(content, 2);
    this.wraps.push(start, this.at, wrapper);
  }

  /** Members that the message has no field for, by the positions of their keys. */
  private unknownFields(keysAt: readonly number[], depth: number): void {
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

  private stringMap(tag: number, depth: number): boolean {
    if (this.space() !== OPEN_BRACE || depth > ANY_MAX_DEPTH) throw GIVE_UP;
    this.at++;
    if (this.space() === CLOSE_BRACE) {
      this.at++;
      return false;
    }
    const keys: number[] = [];
    do {
      this.reserve(this.json.length - this.at);
      this.space();
      const entry = this.open(tag, 1);
      const start = this.at;
      this.string(0x0a, 1);
      this.addKey(keys, start);
      this.colon();
      this.space();
      this.string(0x12, 1);
      this.close(entry, 1);
    } while (!this.ends(CLOSE_BRACE));
    return true;
  }

  private bool(tag: number): boolean {
    if (this.space() === 0x66) {
      this.word(FALSE);
      return false;
    }
    this.word(TRUE);
    this.varint(tag);
    this.varint(1);
    return true;
  }

  /** A whole number that is not negative; as a string too for 64 bits, which is how ProtoJSON spells those. */
  private integer(field: FieldPlan): boolean {
    const quoted = this.space() === QUOTE;
    if (quoted !== (field.kind === Kind.INT64)) this.canonical = false;
    const { json } = this;
    const start = quoted ? this.at + 1 : this.at;
    let at = start;
    let value = 0;
    for (let digit = (json[at] ?? 0) - 0x30; digit >= 0 && digit <= 9; digit = (json[++at] ?? 0) - 0x30)
      value = value * 10 + digit;
    const length = at - start;
    if (length === 0 || length > SAFE_DIGITS || (length > 1 && json[start] === 0x30)) throw GIVE_UP;
    if (field.kind === Kind.INT32 && value > 0x7fffffff) throw GIVE_UP;
    if (quoted ? json[at] !== QUOTE : !isDelimiter(json[at])) throw GIVE_UP;
    this.at = quoted ? at + 1 : at;
    if (value === 0) return false;
    this.varint(field.tag);
    this.varint(value);
    return true;
  }

  private timestamp(tag: number): boolean {
    const { json } = this;
    if (this.space() !== QUOTE) throw GIVE_UP;
    const start = this.at + 1;
    this.skipString();
    const end = this.at - 1;
    const seconds = readSeconds(json, start, end);
    const nanos = readNanos(json, start, end);
    if (seconds < 0 || nanos < 0) throw GIVE_UP;
    if (json[end - 1] !== UTC) this.canonical = false;
    const content = this.open(tag, 1);
    if (seconds > 0) {
      this.varint(0x08);
      this.varint(seconds);
    }
    if (nanos > 0) {
      this.varint(0x10);
      this.varint(nanos);
    }
    this.close(content, 1);
    return true;
  }

  /** Finds the plan of the member whose name begins here, and goes behind its closing quote. */
  private lookUp(plan: MessagePlan): FieldPlan | undefined {
    const { json } = this;
    let name = "";
    let byte = json[this.at] ?? 0;
    for (; byte !== QUOTE; byte = json[++this.at] ?? 0) {
      if (byte === BACKSLASH || byte < 0x20) throw GIVE_UP;
      name += String.fromCharCode(byte);
    }
    this.at++;
    return plan.byName.get(name);
  }

  private isTypeKey(keyAt: number): boolean {
    return this.followsAt(keyAt + 1, TYPE_KEY);
  }

  private isNull(): boolean {
    if (this.space() !== 0x6e) return false;
    this.word(NULL);
    this.canonical = false;
    return true;
  }
}
