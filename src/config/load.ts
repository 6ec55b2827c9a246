import { dirname, resolve } from "node:path";
import type { z } from "zod";
import { nearest } from "../lib/nearest.ts";
import { camelKeys } from "./camel.ts";
import type { Config } from "./config.ts";
import { findContradictions } from "./contradictions.ts";
import type { Entry, SourceResult } from "./entry.ts";
import { type Environment, readAmbient, readEnvironment } from "./environment-source.ts";
import { KEY_BY_PATH } from "./keys.ts";
import { type Problem, show } from "./problem.ts";
import { readProxies } from "./proxies.ts";
import { readSmallFile, readSmallRegularFile } from "./read-small-file.ts";
import { configSchema } from "./schema.ts";
import { readYaml } from "./yaml-source.ts";

/** Where settings come from, weakest first: defaults, file, environment, flags. */
export interface ConfigSources {
  /** Path of the YAML file; `undefined`: none. */
  readonly file: string | undefined;
  readonly env: Environment;
  /** Values of flags by key path (`upstream.endpoint`), as typed. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** A complete configuration, or everything that is wrong. */
export type LoadResult =
  | { readonly config: Config; readonly origins: Origins }
  | { readonly problems: readonly Problem[] };

/** Which place gave each setting its value, by key path; a setting that is not in it has its default. */
export type Origins = ReadonlyMap<string, string>;

/**
 * Loads the configuration: file, environment over it, flags over that. Every value of every source is checked, also
 * one that another source covers, and all problems are told at once. Reads files; starts nothing.
 */
export function loadConfig({ file, env, flags = {} }: ConfigSources): LoadResult {
  const sources = [
    readAmbient(env),
    ...(file === undefined ? [] : [readFile(file)]),
    readEnvironment(env),
    readFlags(flags),
  ];
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  for (const source of sources) {
    const found = [...source.problems];
    for (const entry of source.entries) {
      const checked = check(entry);
      if ("problems" in checked) found.push(...checked.problems);
      else {
        place(values, entry.key.path, checked.value);
        origins.set(entry.key.path, entry.where);
      }
    }
    problems.push(...found.sort((a, b) => lineOf(a) - lineOf(b)));
  }
  const config = complete(configSchema.parse(values), env);
  const broken = new Set(problems.map(({ path }) => path));
  problems.push(...findContradictions(config, origins, broken));
  return problems.length > 0 ? { problems } : { config, origins };
}

/** Adds the defaults that depend on other settings, and the proxies of the environment. */
function complete(values: z.output<typeof configSchema>, env: Environment): Config {
  const { upstream } = values;
  return camelKeys({
    ...values,
    upstream: {
      ...upstream,
      endpoint: upstream.endpoint,
      rules: upstream.rules,
      proxy: readProxies(env),
      credentials: upstream.credentials ?? (upstream.endpoint === undefined ? ("none" as const) : "adc"),
    },
    waiting: { ...values.waiting, reads_per_second: values.waiting.reads_per_second },
  });
}

/** Checks one value. A path is made absolute, and must be readable. */
function check(entry: Entry): { value: unknown } | { problems: Problem[] } {
  const { key, where } = entry;
  const problem = (message: string): Problem => ({ where, path: key.path, message });
  const result = key.schema.safeParse(entry.value);
  if (!result.success) {
    // A number may break two rules that are told in the same words.
    const messages = new Set(result.error.issues.map((issue) => explain(entry, issue)));
    return { problems: [...messages].map(problem) };
  }
  if (!key.setting.path) return { value: entry.value };
  const path = resolve(entry.directory ?? ".", String(entry.value));
  // Read by its user once more, and a key pair again when it is renewed.
  const read = readSmallRegularFile(path);
  return "text" in read ? { value: path } : { problems: [problem(`cannot read ${path}: ${read.problem}`)] };
}

/** What is wrong with a value, or with one item of a list, and what is allowed. */
function explain({ key, value }: Entry, issue: z.core.$ZodIssue): string {
  const item = issue.path[0];
  const wrong = Array.isArray(value) && typeof item === "number" ? value[item] : value;
  if (issue.code === "custom") return `${show(wrong)} ${issue.message}`;
  const meant = typeof wrong === "string" ? nearest(wrong, key.setting.words ?? []) : undefined;
  return `${show(wrong)} is not ${key.setting.allowed}${meant ? `; did you mean ${meant}?` : ""}`;
}

/** The line that a problem of a file is about, for sorting; 0 if it is about none. */
function lineOf({ where }: Problem): number {
  return Number(/:(\d+)$/.exec(where)?.[1] ?? 0);
}

function readFile(file: string): SourceResult {
  const read = readSmallFile(file);
  if ("text" in read) {
    const { entries, problems } = readYaml(read.text, file);
    const directory = dirname(resolve(file));
    return { entries: entries.map((entry) => ({ ...entry, directory })), problems };
  }
  const message = `cannot read the configuration file: ${read.problem}`;
  return { entries: [], problems: [{ where: file, path: undefined, message }] };
}

function readFlags(flags: Readonly<Record<string, string>>): SourceResult {
  const entries: Entry[] = [];
  for (const [path, text] of Object.entries(flags)) {
    const key = KEY_BY_PATH.get(path);
    if (key) entries.push({ key, value: key.setting.fromText(text), where: key.flag });
  }
  return { entries, problems: [] };
}

/** Puts a value into a nested object by its key path; the path comes from the schema, never from input. */
function place(target: Record<string, unknown>, path: string, value: unknown): void {
  const dot = path.indexOf(".");
  if (dot < 0) {
    target[path] = value;
    return;
  }
  const name = path.slice(0, dot);
  const section = { ...(target[name] as Record<string, unknown> | undefined) };
  place(section, path.slice(dot + 1), value);
  target[name] = section;
}
