import { type Command, Option } from "commander";
import { KEYS } from "../config/keys.ts";
import { type LoadResult, loadConfig } from "../config/load.ts";
import type { CommandIo } from "./io.ts";
import { refusal } from "./start-failure.ts";

/** A complete configuration and where its values come from. */
export type Loaded = Extract<LoadResult, { config: unknown }> & { readonly file: string | undefined };

/** Names the configuration file when `--config` does not. */
const CONFIG_VARIABLE = "LRO_GATEWAY_CONFIG";

/** Gives a command `--config` and a flag for every setting. */
export function addConfigFlags(command: Command): Command {
  command.option("--config <FILE>", `configuration file (YAML); or ${CONFIG_VARIABLE}`);
  for (const { flag, setting } of KEYS) {
    const value =
      setting.placeholder === "true|false" ? `[${setting.placeholder}]` : `<${setting.placeholder}>`;
    const byDefault = setting.defaultText === undefined ? "" : ` (default: ${setting.defaultText})`;
    command.addOption(
      new Option(`${flag} ${value}`, firstSentence(setting.doc) + byDefault).helpGroup("Settings:"),
    );
  }
  return command.addHelpText(
    "after",
    "\nEach setting is also a key of the file and an environment variable (LRO_GATEWAY_…): docs/configuration.md",
  );
}

/**
 * Loads the configuration that a command's arguments and the environment name. Throws a {@link CommandError} that
 * lists every problem.
 */
export function configure(options: Readonly<Record<string, unknown>>, io: CommandIo): Loaded {
  const file = textOf(options["config"]) ?? (io.env[CONFIG_VARIABLE] || undefined);
  const flags: Record<string, string> = {};
  for (const { path, flag } of KEYS) {
    const text = textOf(options[new Option(flag).attributeName()]);
    if (text !== undefined) flags[path] = text;
  }
  const result = loadConfig({ file, env: io.env, flags });
  if ("config" in result) return { ...result, file };
  throw refusal(result.problems);
}

/** The text of a flag; a switch without a value means `true`. */
function textOf(value: unknown): string | undefined {
  return value === true ? "true" : typeof value === "string" ? value : undefined;
}

function firstSentence(doc: string): string {
  return (/^.*?\.(?=\s|$)/.exec(doc)?.[0] ?? doc).replace(/\.$/, "").replaceAll("`", "");
}
