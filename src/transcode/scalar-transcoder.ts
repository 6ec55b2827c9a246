import { ANY_MAX_DEPTH } from "../lib/any-json.ts";
import { CLOSE_BRACE, GIVE_UP, isDelimiter, OPEN_BRACE, QUOTE, SAFE_DIGITS } from "./json-scanner.ts";
import { type FieldPlan, Kind } from "./message-plan.ts";
import { readNanos, readSeconds, UTC } from "./read-timestamp.ts";
import { FALSE, NULL, StructTranscoder, TRUE } from "./struct-transcoder.ts";

/**
 * Writes fields whose values hold no messages of their own: truth values, whole numbers, google.protobuf.Timestamp, maps
 * of strings. Each returns whether there was anything to write, since a default value is not.
 */
export class ScalarTranscoder extends StructTranscoder {
  /** See {@link Transcoded.canonical}: no value so far that ProtoJSON would spell otherwise. */
  protected canonical = true;

  protected bool(tag: number): boolean {
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
  protected integer(field: FieldPlan): boolean {
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

  protected timestamp(tag: number): boolean {
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

  protected stringMap(tag: number, depth: number): boolean {
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

  /** Takes a null, which is as if the member were not there, and says whether it was one. */
  protected isNull(): boolean {
    if (this.space() !== 0x6e) return false;
    this.word(NULL);
    this.canonical = false;
    return true;
  }
}
