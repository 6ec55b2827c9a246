import { nearest } from "../lib/nearest.ts";
import type { Entry, SourceResult } from "./entry.ts";
import { KEYS, type Key, VARIABLE_PREFIX } from "./keys.ts";
import type { Problem } from "./problem.ts";

/** Variables with our prefix that are read elsewhere: the config file's path, and what the operator's client takes. */
const OTHER_VARIABLES: readonly string[] = ["CONFIG", "ADDRESS", "TOKEN_FILE", "CA"].map(
  (n) => VARIABLE_PREFIX + n,
);

/**
 * What Kubernetes sets in every pod for a Service that is named `lro-gateway` or `lro-gateway-…`
 * (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables). Not ours.
 */
const SERVICE_LINK = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/;

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings of the environment. An empty variable counts as not set. A variable with our prefix that means
 * nothing is a problem when it looks like one of ours; others are left alone, for the environment is shared.
 */
export function readEnvironment(env: Environment): SourceResult {
  const entries: Entry[] = [];
  const problems: Problem[] = [];
  for (const key of KEYS) entries.push(...readVariable(env, key, key.variable));
  const known = [...KEYS.map((key) => key.variable), ...OTHER_VARIABLES];
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith(VARIABLE_PREFIX) || known.includes(name) || SERVICE_LINK.test(name)) continue;
    const meant = nearest(name.slice(VARIABLE_PREFIX.length), known.map(withoutPrefix));
    if (meant !== undefined)
      problems.push(unknown(name, `there is no such variable; did you mean ${VARIABLE_PREFIX}${meant}?`));
    else if (SECTIONS.some((section) => name.startsWith(section)))
      problems.push(unknown(name, `there is no such variable; allowed: ${siblings(name).join(", ")}`));
  }
  return { entries, problems };
}

/** Reads the variables of Google's own tools that stand for a setting which nothing of ours gives. */
export function readAmbient(env: Environment): SourceResult {
  const entries = KEYS.flatMap((key) =>
    key.setting.ambient === undefined ? [] : readVariable(env, key, key.setting.ambient),
  );
  return { entries, problems: [] };
}

function readVariable(env: Environment, key: Key, where: string): Entry[] {
  const text = env[where]?.trim() ?? "";
  return text === "" ? [] : [{ key, value: key.setting.fromText(text), where }];
}

/** `LRO_GATEWAY_UPSTREAM_` and so on: the beginnings that only a setting of a section can have. */
const SECTIONS = [
  ...new Set(
    KEYS.filter((key) => key.path.includes(".")).map(
      (key) => `${VARIABLE_PREFIX}${key.path.split(".")[0]?.toUpperCase()}_`,
    ),
  ),
];

function siblings(name: string): string[] {
  const section = SECTIONS.find((beginning) => name.startsWith(beginning)) ?? "";
  return KEYS.map((key) => key.variable).filter((variable) => variable.startsWith(section));
}

function withoutPrefix(variable: string): string {
  return variable.slice(VARIABLE_PREFIX.length);
}

function unknown(where: string, message: string): Problem {
  return { where, path: undefined, message };
}
