import { isNode, LineCounter, parseDocument } from "yaml";

/** A YAML (or JSON) text as plain values, together with where each of them stands. */
export interface YamlSource {
  readonly value: unknown;
  /** 1-based line of the value at a path of keys and indexes; that of the nearest value around it if there is none. */
  lineOf(path: readonly (string | number)[]): number | undefined;
}

/** Why a text is not YAML. */
export interface YamlError {
  readonly line: number | undefined;
  readonly message: string;
}

/** Reads YAML 1.2. Duplicate keys, several documents and alias bombs are errors. */
export function readYaml(text: string): YamlSource | { readonly errors: readonly YamlError[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0)
    return {
      errors: document.errors.map(({ pos, message }) => ({ line: lines.linePos(pos[0]).line, message })),
    };
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Thrown for aliases that are undefined, or that multiply beyond the library's limit.
    return { errors: [{ line: undefined, message: error instanceof Error ? error.message : String(error) }] };
  }
  return {
    value,
    lineOf(path) {
      for (let depth = path.length; depth > 0; depth--) {
        const node = document.getIn(path.slice(0, depth), true);
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
      }
      return document.contents?.range ? lines.linePos(document.contents.range[0]).line : undefined;
    },
  };
}
