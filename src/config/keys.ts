import type { z } from "zod";
import { configSchema } from "./schema.ts";
import { type Setting, settings } from "./settings.ts";

/** One setting with all its names. */
export interface Key {
  /** As in the file, with dots for sections: `upstream.api_version`. */
  readonly path: string;
  /** `LRO_GATEWAY_UPSTREAM_API_VERSION`. */
  readonly variable: string;
  /** `--upstream-api-version`. */
  readonly flag: string;
  readonly setting: Setting;
  readonly schema: z.ZodType;
}

/** Begins the name of every environment variable of the gateway. */
export const VARIABLE_PREFIX = "LRO_GATEWAY_";

/** Every setting in the order of the schema. */
export const KEYS: readonly Key[] = [...walk(configSchema, "")];

/** {@link KEYS} by {@link Key.path}. */
export const KEY_BY_PATH: ReadonlyMap<string, Key> = new Map(KEYS.map((key) => [key.path, key]));

/** The names that may stand in a section (`""`: the whole file), in order; `undefined` when there is no such section. */
export function namesIn(section: string): string[] | undefined {
  const prefix = section === "" ? "" : `${section}.`;
  const names = KEYS.filter((key) => key.path.startsWith(prefix)).map(
    (key) => key.path.slice(prefix.length).split(".")[0] ?? "",
  );
  return names.length === 0 ? undefined : [...new Set(names)];
}

function* walk(schema: z.ZodType, path: string): Iterable<Key> {
  const setting = settings.get(schema);
  if (setting) {
    const name = path.replaceAll(".", "_");
    yield {
      path,
      variable: VARIABLE_PREFIX + name.toUpperCase(),
      flag: `--${name.replaceAll("_", "-")}`,
      setting,
      schema,
    };
    return;
  }
  for (const [name, child] of Object.entries(shapeOf(schema)))
    yield* walk(child, path === "" ? name : `${path}.${name}`);
}

/** The members of an object schema, looking through its defaults. */
function shapeOf(schema: z.ZodType): Record<string, z.ZodType> {
  // zod's own types do not tell wrappers from objects here; a schema of another shape is a mistake in schema.ts.
  const def = schema.def as { innerType?: z.ZodType; shape?: Record<string, z.ZodType> };
  if (def.innerType) return shapeOf(def.innerType);
  if (def.shape) return def.shape;
  throw new TypeError("a leaf of the configuration schema has no setting registered");
}
