/**
 * The path templates of google.api.http, as text and as parts.
 *
 *     Template  = "/" Segment { "/" Segment } [ ":" LITERAL ] ;
 *     Segment   = LITERAL | Variable ;
 *     Variable  = "{" FieldPath [ "=" Pattern { "/" Pattern } ] "}" ;
 *     Pattern   = "*" | "**" | LITERAL ;
 *     FieldPath = IDENT { "." IDENT } ;
 *     LITERAL   = one or more of A-Z a-z 0-9 - _ . ~ ;
 *
 * Differences to the published grammar, each because a request is built here and not matched:
 * - a wildcard outside of a variable is an error: nothing could fill it;
 * - `**` may stand anywhere, as in the published `{name=operations/projects/**}/operations`, but only once, so that a
 *   name is taken apart in one way only;
 * - a LITERAL holds only characters that are never percent-encoded.
 *
 * @see https://google.aip.dev/127
 * @see https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
 */
export interface PathTemplate {
  readonly text: string;
  readonly segments: readonly TemplateSegment[];
  /** The custom verb without its colon: `cancel` of `…}:cancel`. */
  readonly verb: string | undefined;
}

/** A literal, or a variable that spans one or more segments. */
export type TemplateSegment = string | TemplateVariable;

/** `{fieldPath=pattern}`. */
export interface TemplateVariable {
  /** Dotted field names of the request message as the template spells them, e.g. `name`. */
  readonly fieldPath: string;
  /** Literals, `*` (one segment) and `**` (one or more segments); `{v}` is `["*"]`. */
  readonly pattern: readonly string[];
}

/** Why a text is not a path template. */
export interface TemplateProblem {
  /** Offset into the text, in UTF-16 units. */
  readonly position: number;
  readonly problem: string;
}

/** Reads a path template; problems are values, since they come from a user's file. */
export function parsePathTemplate(text: string): PathTemplate | TemplateProblem {
  try {
    return new TemplateParser(text).template();
  } catch (error) {
    if (error instanceof TemplateSyntaxError) return { position: error.position, problem: error.message };
    throw error;
  }
}

const LITERAL = /[A-Za-z0-9\-_.~]+/y;
const FIELD_PATH = /[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*/y;

class TemplateSyntaxError extends Error {
  readonly position: number;
  constructor(position: number, problem: string) {
    super(problem);
    this.position = position;
  }
}

/** Recursive descent; one method for each rule of the grammar. */
class TemplateParser {
  readonly #text: string;
  readonly #fieldPaths = new Set<string>();
  #position = 0;
  #sawMany = false;

  constructor(text: string) {
    this.#text = text;
  }

  template(): PathTemplate {
    if (!this.#take("/")) this.#fail('must begin with "/"');
    const segments: TemplateSegment[] = [];
    do segments.push(this.#segment());
    while (this.#take("/"));
    const verb = this.#take(":") ? this.#literal("a verb after the colon") : undefined;
    if (this.#position < this.#text.length)
      this.#fail(`unexpected ${JSON.stringify(this.#text.charAt(this.#position))}`);
    return { text: this.#text, segments, verb };
  }

  #segment(): TemplateSegment {
    if (this.#text.startsWith("*", this.#position))
      this.#fail("a wildcard outside of a variable: nothing could fill it; write {name=…}");
    return this.#text.startsWith("{", this.#position)
      ? this.#variable()
      : this.#literal("a literal or a variable");
  }

  #variable(): TemplateVariable {
    const start = this.#position++;
    const fieldPath = this.#match(FIELD_PATH, "the name of a request field");
    if (this.#fieldPaths.has(fieldPath))
      this.#fail(`the variable ${JSON.stringify(fieldPath)} occurs twice`, start);
    this.#fieldPaths.add(fieldPath);
    const pattern: string[] = [];
    if (this.#take("=")) {
      do pattern.push(this.#pattern());
      while (this.#take("/"));
    } else {
      pattern.push("*");
    }
    if (!this.#take("}")) {
      if (this.#position >= this.#text.length) this.#fail('"{" is never closed', start);
      this.#fail(`unexpected ${JSON.stringify(this.#text.charAt(this.#position))} in a variable`);
    }
    return { fieldPath, pattern };
  }

  #pattern(): string {
    const start = this.#position;
    if (this.#take("**")) {
      if (this.#sawMany) this.#fail('a second "**": a name could be taken apart in several ways', start);
      this.#sawMany = true;
      return "**";
    }
    return this.#take("*") ? "*" : this.#literal('"*", "**" or a literal');
  }

  #literal(expected: string): string {
    const start = this.#position;
    const literal = this.#match(LITERAL, expected);
    if (literal === "." || literal === "..") this.#fail("a dot segment", start);
    return literal;
  }

  #match(rule: RegExp, expected: string): string {
    rule.lastIndex = this.#position;
    const found = rule.exec(this.#text)?.[0];
    if (found === undefined) {
      const at = this.#text.charAt(this.#position);
      this.#fail(`expected ${expected}, found ${at === "" ? "the end" : JSON.stringify(at)}`);
    }
    this.#position += found.length;
    return found;
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#position)) return false;
    this.#position += token.length;
    return true;
  }

  #fail(problem: string, position = this.#position): never {
    throw new TemplateSyntaxError(position, problem);
  }
}
