/** `allow_unauthenticated` as `allowUnauthenticated`. */
export type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

/** An object of the configuration file with its keys in the code's spelling, deep. */
export type CamelKeys<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T as Camel<K & string>]: CamelKeys<T[K]> }
    : T;

/** Renames the keys of plain data from the file's spelling to the code's, and freezes it. */
export function camelKeys<T>(value: T): CamelKeys<T> {
  // The recursion over unknown data cannot be followed by the type checker; CamelKeys states its result.
  if (Array.isArray(value)) return Object.freeze([...value]) as CamelKeys<T>;
  if (typeof value !== "object" || value === null) return value as CamelKeys<T>;
  const renamed = Object.entries(value).map(([name, member]) => [camel(name), camelKeys(member)]);
  return Object.freeze(Object.fromEntries(renamed)) as CamelKeys<T>;
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The names, in the code's spelling, that lead to a setting: `upstream.api_version` as `upstream`, `apiVersion`. */
export function camelPath(path: string): string[] {
  return path.split(".").map(camel);
}
