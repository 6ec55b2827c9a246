import { isJsonObject, type Json } from "./json.ts";

/**
 * Reads a JSON object that a person wrote, key by key. Each problem is a RangeError that names the key, as a path, and
 * what is allowed; {@link ObjectReader.end} refuses keys that nobody asked for, which are mostly typing errors.
 */
export interface ObjectReader {
  /** A number of `least` (default 0) or more. */
  number(key: string, least?: number): number | undefined;
  string(key: string): string | undefined;
  boolean(key: string): boolean | undefined;
  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined;
  strings(key: string): readonly string[] | undefined;
  object(key: string): ObjectReader | undefined;
  /** Any JSON value, unchecked. */
  json(key: string): Json | undefined;
  keys(): readonly string[];
  end(): void;
}

/** Starts reading `value`; `path` is how messages call it. */
export function readObject(value: unknown, path: string): ObjectReader {
  if (!isJsonObject(value)) throw new RangeError(`${path} must be a JSON object`);
  const known = new Set<string>();

  function read<T>(key: string, expected: string, isRight: (found: Json) => boolean): T | undefined {
    known.add(key);
    const found = isJsonObject(value) ? value[key] : undefined;
    if (found === undefined) return undefined;
    if (!isRight(found))
      throw new RangeError(`${path}.${key} must be ${expected}, got ${JSON.stringify(found)}`);
    return found as T; // isRight is the proof, which TypeScript cannot follow through a callback.
  }

  return {
    number: (key, least = 0) =>
      read<number>(
        key,
        `a number of ${least} or more`,
        (found) => typeof found === "number" && found >= least,
      ),
    string: (key) => read<string>(key, "a string", (found) => typeof found === "string"),
    boolean: (key) => read<boolean>(key, "true or false", (found) => typeof found === "boolean"),
    oneOf: (key, allowed) =>
      read(key, `one of ${allowed.join(", ")}`, (found) => allowed.some((choice) => choice === found)),
    strings: (key) =>
      read(key, "a list of strings", (found) =>
        Array.isArray(found) ? found.every((item) => typeof item === "string") : false,
      ),
    object(key) {
      const found = read<Json>(key, "a JSON object", isJsonObject);
      return found === undefined ? undefined : readObject(found, `${path}.${key}`);
    },
    json: (key) => read<Json>(key, "JSON", () => true),
    keys: () => Object.keys(value),
    end() {
      const unknown = Object.keys(value).find((key) => !known.has(key));
      if (unknown !== undefined) {
        throw new RangeError(`${path}.${unknown} is not known; allowed are ${[...known].sort().join(", ")}`);
      }
    },
  };
}
