import { camelPath } from "../config/camel.ts";
import { KEYS, type Key } from "../config/keys.ts";
import { configure, type Loaded } from "./configure.ts";
import { EXIT } from "./exit-codes.ts";
import type { CommandIo } from "./io.ts";
import { formatTable } from "./table.ts";

/**
 * `check-config`: loads the configuration as `serve` would, starts nothing, and prints each setting with its value and
 * the place that it comes from.
 */
export async function checkConfig(
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): Promise<number> {
  const loaded = configure(options, io);
  const rows = KEYS.map((key) => [
    key.path,
    textOfValue(loaded, key),
    loaded.origins.get(key.path) ?? "default",
  ]);
  io.out(`${formatTable(["SETTING", "VALUE", "FROM"], rows)}\n\nThe configuration is right.\n`);
  return EXIT.OK;
}

/** A setting's value as the file would hold it; `-` when there is none. */
function textOfValue({ config }: Loaded, { path, setting }: Key): string {
  let value: unknown = config;
  // Section by section down the loaded configuration, whose keys mirror the schema's.
  for (const name of camelPath(path))
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[name];
  if (value === undefined) return "-";
  if (setting.toText) return setting.toText(value);
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}
