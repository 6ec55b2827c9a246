/** What {@link SegmentPattern.match} says of a value. */
export type PatternMatch = typeof NO_MATCH | typeof PLAIN | typeof UNUSUAL;

/** The value does not have the shape. */
export const NO_MATCH = 0;
/** The value has the shape, is made of `A-Z a-z 0-9 - _ . ~ /` only, and has no dot segment: it stands in a URL as it is. */
export const PLAIN = 1;
/** The value has the shape, but must be looked at closely, and encoded. */
export const UNUSUAL = 2;

/** The segments of a template variable, compiled. */
export interface SegmentPattern {
  /** As in the template, without `{field=` and `}`. */
  readonly text: string;
  /** The variable stands for exactly one segment of the path: a slash in the value belongs to it and is encoded. */
  readonly single: boolean;
  match(value: string): PatternMatch;
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** By ASCII code: 1 for the characters that RFC 3986 §2.3 calls unreserved. They are never percent-encoded. */
const UNRESERVED = new Uint8Array(128);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
  UNRESERVED[char.charCodeAt(0)] = 1;

/**
 * Compiles the segments of a variable to two matchers. Nearly every name is plain, and V8's compiled regular
 * expressions tell that in a third of the time that a loop over the characters takes (test/bench/transcode.ts). What is
 * not plain is walked once by hand. Both are linear: what may follow a wildcard is never a character that it takes.
 *
 * `**` takes one segment or more, like `*` never an empty one. The grammar lets it take none, but then GetOperation
 * of `operations` would fit `{name=operations/**}` and be sent to the URL of the list.
 */
export function compileSegmentPattern(segments: readonly string[]): SegmentPattern {
  const single = segments.length === 1 && segments[0] === "*";
  const plain = compilePlain(segments);
  const walk = single ? matchSingle : compileWalk(segments);
  return {
    text: segments.join("/"),
    single,
    match: (value) => (plain.test(value) && !hasDotAhead(value) ? PLAIN : walk(value)),
  };
}

/** Values of the right shape that are made of unreserved characters only. */
function compilePlain(segments: readonly string[]): RegExp {
  const one = "[\\w\\-.~]+";
  const wildcards: Readonly<Record<string, string>> = { "*": one, "**": `${one}(?:/${one})*` };
  const source = segments.map((segment) => wildcards[segment] ?? segment.replaceAll(".", "\\."));
  return new RegExp(`^${source.join("/")}$`);
}

/** Whether some segment begins with a dot, so that it might be a dot segment. */
function hasDotAhead(value: string): boolean {
  return value.includes("/.") || value.charCodeAt(0) === DOT;
}

/** The same for all values, by hand. */
function compileWalk(segments: readonly string[]): (value: string) => PatternMatch {
  const { glue, tail, manyAt, afterMany } = joinLiterals(segments);
  const wildcards = glue.length;
  return (value) => {
    const length = value.length;
    let result: PatternMatch = PLAIN;
    let position = 0;
    for (let index = 0; index < wildcards; index++) {
      // Within the bounds of the loop there is always an entry.
      const literal = glue[index] as string;
      if (!value.startsWith(literal, position)) return NO_MATCH;
      position += literal.length;
      const many = index === manyAt;
      const end = many && afterMany > 0 ? startOfLast(value, afterMany) : length;
      if (position >= end) return NO_MATCH;
      let segment = position;
      for (; ; position++) {
        const code = position < end ? value.charCodeAt(position) : SLASH;
        if (code !== SLASH) {
          if (code > 127 || UNRESERVED[code] === 0) result = UNUSUAL;
          continue;
        }
        if (position === segment) return NO_MATCH;
        if (isDots(value, segment, position)) result = UNUSUAL;
        if (!many || position >= end) break;
        segment = position + 1;
      }
    }
    return length - position === tail.length && value.endsWith(tail) ? result : NO_MATCH;
  };
}

/** Any value but the empty one fits a single segment: what would end the segment is encoded. */
function matchSingle(value: string): PatternMatch {
  if (value === "") return NO_MATCH;
  for (let position = 0; position < value.length; position++) {
    const code = value.charCodeAt(position);
    if (code > 127 || UNRESERVED[code] === 0) return UNUSUAL;
  }
  return isDots(value, 0, value.length) ? UNUSUAL : PLAIN;
}

function isDots(value: string, start: number, end: number): boolean {
  const length = end - start;
  if (length > 2 || value.charCodeAt(start) !== DOT) return false;
  return length === 1 || value.charCodeAt(start + 1) === DOT;
}

/** Where the last `count` segments of a value begin, at their slash; -1 when it has fewer. */
function startOfLast(value: string, count: number): number {
  let position = value.length;
  for (let left = count; left > 0; left--) {
    if (position <= 0) return -1;
    position = value.lastIndexOf("/", position - 1);
  }
  return position;
}

interface JoinedLiterals {
  /** What stands before each wildcard. */
  readonly glue: readonly string[];
  /** What stands after the last. */
  readonly tail: string;
  /** Which wildcard is `**`; -1: none. */
  readonly manyAt: number;
  /** How many segments follow `**`. */
  readonly afterMany: number;
}

function joinLiterals(segments: readonly string[]): JoinedLiterals {
  const glue: string[] = [];
  let manyAt = -1;
  let literal = "";
  for (const [index, segment] of segments.entries()) {
    if (index > 0) literal += "/";
    if (segment === "*" || segment === "**") {
      if (segment === "**") manyAt = glue.length;
      glue.push(literal);
      literal = "";
    } else {
      literal += segment;
    }
  }
  const many = segments.indexOf("**");
  return { glue, tail: literal, manyAt, afterMany: many < 0 ? 0 : segments.length - 1 - many };
}
