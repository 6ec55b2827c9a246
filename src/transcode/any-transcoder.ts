import { toBinary } from "@bufbuild/protobuf";
import { AnySchema, hasCustomJsonRepresentation } from "@bufbuild/protobuf/wkt";
import { ANY_MAX_DEPTH, readAny } from "../lib/any-json.ts";
import { registry } from "../lib/any-registry.ts";
import { type JsonDocument, readJson } from "../lib/json-document.ts";
import { CLOSE_BRACE, GIVE_UP, OPEN_BRACE, QUOTE } from "./json-scanner.ts";
import { type MessagePlan, planOf } from "./message-plan.ts";
import { ScalarTranscoder } from "./scalar-transcoder.ts";

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
 * Writes google.protobuf.Any from its ProtoJSON form, `@type` beside the members of the message
 * (https://protobuf.dev/programming-guides/json/#any). What has no type that is known is wrapped in a Struct or a Value.
 */
export abstract class AnyTranscoder extends ScalarTranscoder {
  /** See {@link Transcoded.wraps}. */
  protected wraps: number[] = [];
  readonly #types: KnownType[] = [];

  /**
   * The members of a message, from the first one's quote to the closing brace. `types` is how many `@type`s are to
   * come in an Any; -1 where the message is in none. Returns {@link Transcoded.set}.
   */
  protected abstract members(plan: MessagePlan, depth: number, types: number): number;

  /** The content of an Any that is in no other. What is unusual about it costs it the quick way, but not the whole body. */
  protected outermostAny(): void {
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
      this.#plainAny();
    }
  }

  #plainAny(): void {
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
  protected any(depth: number): void {
    if (depth > ANY_MAX_DEPTH) throw GIVE_UP;
    if (this.space() !== OPEN_BRACE) {
      this.#wrap(this.at, 0, depth);
      return;
    }
    const start = this.at++;
    if (this.space() === CLOSE_BRACE) {
      this.at++;
      return;
    }
    const first = this.at;
    const typeFirst = this.json[first] === QUOTE && this.followsAt(first + 1, TYPE_KEY);
    const type = this.#findType();
    if (!type) {
      this.#wrap(start, 1, depth);
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
  #findType(): KnownType | undefined {
    for (;;) {
      if (this.space() !== QUOTE) throw GIVE_UP;
      const isType = this.followsAt(this.at + 1, TYPE_KEY);
      this.skipString();
      this.colon();
      if (isType) return this.space() === QUOTE ? this.#typeUrl() : undefined;
      this.skip();
      if (this.ends(CLOSE_BRACE)) return undefined;
    }
  }

  #typeUrl(): KnownType | undefined {
    const { json } = this;
    const types = this.#types;
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
  #wrap(start: number, wrapper: 0 | 1, depth: number): void {
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

  protected isTypeKey(keyAt: number): boolean {
    return this.followsAt(keyAt + 1, TYPE_KEY);
  }
}
