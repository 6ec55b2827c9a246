import { camelPath } from "../config/camel.ts";
import { KEYS, type Key } from "../config/keys.ts";
import { openBackend } from "../gateway/backend.ts";
import { openTls } from "../gateway/tls.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog } from "../observe/log.ts";
import { configure, type Loaded } from "./configure.ts";
import { EXIT } from "./exit-codes.ts";
import type { CommandIo } from "./io.ts";
import { explainStartFailure } from "./start-failure.ts";
import { formatTable } from "./table.ts";
import { packageVersion } from "./version.ts";

/**
 * `check-config`: makes everything of the configuration that `serve` would make before it opens its port, and prints
 * each setting with its value and the place that it comes from. Nothing is sent and nothing listens.
 */
export async function checkConfig(
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): Promise<number> {
  const loaded = configure(options, io);
  await checkBackend(loaded);
  const rows = KEYS.map((key) => [
    key.path,
    textOfValue(loaded, key),
    loaded.origins.get(key.path) ?? "default",
  ]);
  io.out(`${formatTable(["SETTING", "VALUE", "FROM"], rows)}\n\nThe configuration is right.\n`);
  return EXIT.OK;
}

/** Tries certificates, rules and endpoint. Without an endpoint an emulator's address would stand there. */
async function checkBackend({ config, origins }: Loaded): Promise<void> {
  const upstream = { ...config.upstream, endpoint: config.upstream.endpoint ?? "http://127.0.0.1" };
  try {
    openTls(config);
    const backend = openBackend(
      { ...config, upstream },
      { clock: systemClock, log: createLog("warn", 2), random: Math.random, version: packageVersion() },
    );
    await backend.close();
  } catch (error) {
    throw explainStartFailure(error, config.listen, origins);
  }
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
