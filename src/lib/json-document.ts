import type { JsonValue } from "@bufbuild/protobuf";

/** A JSON object as {@link readJson} makes it. Safe for any key, `__proto__` included. */
export type JsonObject = { [key: string]: JsonValue };

/** A JSON text after reading. */
export interface JsonDocument {
  readonly root: JsonValue;
  /** The piece of the text that an object or array of this document was read from. */
  source(container: JsonObject | JsonValue[]): string;
  /** False for an object or array that the text breaks off in. Always true after {@link readJson}. */
  isWhole(container: JsonObject | JsonValue[]): boolean;
}

/**
 * Containers nested deeper are not looked into: they stand as empty objects whose {@link JsonDocument.source} is
 * their text. Far deeper than any message here; it keeps the reader's own recursion small.
 */
export const JSON_MAX_DEPTH = 200;

/**
 * Reads JSON (RFC 8259) without losing anything that protobuf could hold:
 *
 * - a number that a double cannot hold (1e400, 9007199254740993) becomes a string of the same characters;
 * - of equal keys the last one wins, as with JSON.parse;
 * - a lone surrogate becomes U+FFFD, since neither UTF-8 nor protobuf can carry one.
 *
 * @throws SyntaxError for anything that JSON.parse would refuse.
 */
export function readJson(text: string): JsonDocument {
  return read(text, false);
}

/**
 * Reads as much as there is of a JSON text that may break off anywhere (a body cut at a size limit).
 * What is incomplete is dropped, except objects, arrays and strings, which keep the part that came.
 *
 * @throws SyntaxError where the text is wrong rather than short, or holds not even the start of a value.
 */
export function readJsonPrefix(text: string): JsonDocument {
  return read(text, true);
}

function read(text: string, lenient: boolean): JsonDocument {
  const reader = new Reader(text, lenient);
  const root = reader.document();
  return {
    root,
    source: (container) => {
      const span = reader.spans.get(container);
      return span ? text.slice(span[0], span[1]).toWellFormed() : "null";
    },
    isWhole: (container) => !reader.broken.has(container),
  };
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const NUMBER_PART = /[-0-9][0-9.eE+-]*/y;
const SPACE = /[ \t\n\r]*/y;

class Reader {
  readonly spans = new WeakMap<object, [start: number, end: number]>();
  readonly broken = new WeakSet<object>();
  readonly #text: string;
  readonly #lenient: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, lenient: boolean) {
    this.#text = text;
    this.#lenient = lenient;
  }

  document(): JsonValue {
    const root = this.#value();
    if (root === undefined) throw this.#wrong();
    if (this.#peek() !== "") throw this.#wrong();
    return root;
  }

  /** A value, or `undefined` when the text breaks off before anything of it is certain. */
  #value(): JsonValue | undefined {
    const next = this.#peek();
    if (next === "{" || next === "[") return this.#container(next);
    if (next === '"') return this.#string().value;
    if (next === "") return this.#short();
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
      if (word.startsWith(this.#text.slice(this.#at))) return this.#short();
    }
    // A number at the very end of a cut text may have had more digits.
    NUMBER_PART.lastIndex = this.#at;
    if (this.#lenient && NUMBER_PART.test(this.#text) && NUMBER_PART.lastIndex === this.#text.length)
      return this.#short();
    NUMBER.lastIndex = this.#at;
    const token = NUMBER.exec(this.#text)?.[0];
    if (token === undefined) throw this.#wrong();
    this.#at += token.length;
    return exactNumber(token);
  }

  #container(open: "{" | "["): JsonValue {
    const start = this.#at;
    if (this.#depth >= JSON_MAX_DEPTH) return this.#deep(start);
    this.#depth++;
    this.#at++;
    const target = open === "{" ? this.#members() : this.#items();
    this.#depth--;
    this.spans.set(target, [start, this.#at]);
    return target;
  }

  #members(): JsonObject {
    const target: JsonObject = {};
    for (let first = true; ; first = false) {
      if (this.#closes("}", first)) return target;
      if (this.#peek() === "") return this.#brokenOff(target);
      if (this.#peek() !== '"') throw this.#wrong();
      const key = this.#string();
      if (!key.whole || this.#peek() === "") return this.#brokenOff(target);
      if (this.#text[this.#at] !== ":") throw this.#wrong();
      this.#at++;
      const value = this.#value();
      if (value === undefined) return this.#brokenOff(target);
      setOwn(target, key.value, value);
    }
  }

  #items(): JsonValue[] {
    const target: JsonValue[] = [];
    for (let first = true; ; first = false) {
      if (this.#closes("]", first)) return target;
      const value = this.#peek() === "" ? this.#short() : this.#value();
      if (value === undefined) return this.#brokenOff(target);
      target.push(value);
    }
  }

  /** Consumes the closing bracket, or the comma before the next element. */
  #closes(bracket: string, first: boolean): boolean {
    const next = this.#peek();
    if (next === bracket) {
      this.#at++;
      return true;
    }
    if (first || next === "") return false;
    if (next !== ",") throw this.#wrong();
    this.#at++;
    if (this.#peek() === bracket) throw this.#wrong();
    return false;
  }

  #string(): { value: string; whole: boolean } {
    const start = this.#at;
    let end = start + 1;
    for (; end < this.#text.length && this.#text[end] !== '"'; end++) if (this.#text[end] === "\\") end++;
    const whole = end < this.#text.length;
    this.#at = Math.min(end + 1, this.#text.length);
    if (whole) return { value: parseString(this.#text.slice(start, end + 1)), whole };
    this.#short();
    // A broken escape at the end is dropped with its backslash.
    const part = this.#text.slice(start).replace(/(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$/, "$1");
    return { value: parseString(`${part}"`), whole };
  }

  /** Steps over a container that is nested too deep to be looked into, without recursion. */
  #deep(start: number): JsonObject {
    let open = 0;
    do {
      const next = this.#text[this.#at];
      if (next === undefined) break;
      if (next === '"') {
        this.#string();
        continue;
      }
      if (next === "{" || next === "[") open++;
      if (next === "}" || next === "]") open--;
      this.#at++;
    } while (open > 0);
    const target: JsonObject = {};
    if (open > 0) this.#brokenOff(target);
    else JSON.parse(this.#text.slice(start, this.#at)); // throws where the text is wrong
    this.spans.set(target, [start, this.#at]);
    return target;
  }

  #peek(): string {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
    return this.#text[this.#at] ?? "";
  }

  #brokenOff<T extends object>(target: T): T {
    this.#short();
    this.broken.add(target);
    return target;
  }

  /** The text ends too early: an error, unless it may. */
  #short(): undefined {
    this.#at = this.#text.length;
    if (!this.#lenient) throw this.#wrong();
    return undefined;
  }

  #wrong(): SyntaxError {
    return new SyntaxError(`not JSON at character ${this.#at}`);
  }
}

const WORDS: readonly [string, JsonValue][] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

function parseString(token: string): string {
  const value: unknown = JSON.parse(token);
  return String(value).toWellFormed();
}

/** Sets a property of any name, `__proto__` included, as an own one. */
export function setOwn(target: JsonObject, key: string, value: JsonValue): void {
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** Digits that a double always keeps apart from its neighbours and that common printers write (`%.17g`). */
const DOUBLE_DIGITS = 17;

/**
 * The number that a JSON number token stands for; the token itself where a double would change the value: integers
 * beyond 2^53 that fall between two doubles (and are not how one of them is printed), fractions of more than 17 digits,
 * anything that overflows or vanishes.
 */
export function exactNumber(token: string): number | string {
  const value = Number(token);
  if (token.length < DOUBLE_DIGITS - 1 && !/[eE]/.test(token)) return value;
  if (!Number.isFinite(value)) return token;
  const digits = token
    .replace(/[eE].*/, "")
    .replace(/[^0-9]/g, "")
    .replace(/^0+/, "");
  if (value === 0) return digits === "" ? value : token;
  if (/^-?[0-9]+$/.test(token))
    return BigInt(token) === BigInt(value) || String(value) === token ? value : token;
  return digits.length <= DOUBLE_DIGITS ? value : token;
}

/** Tells a JSON object from arrays, null and scalars. */
export function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
