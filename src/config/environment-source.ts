import { nearest } from "../lib/nearest.ts";
import type { Entry, SourceResult } from "./entry.ts";
import { KEYS, type Key, VARIABLE_PREFIX } from "./keys.ts";
import type { Problem } from "./problem.ts";

/** Variables with our prefix that are read elsewhere: the config file's path, and what the operator's client takes. */
const OTHER_VARIABLES: readonly string[] = ["CONFIG", "ADDRESS", "TOKEN_FILE", "CA"].map(
  (n) => VARIABLE_PREFIX + n,
);

/**
 * What Kubernetes sets in every pod for a Service that is named `lro-gateway` or `lro-gateway-…`, by name and value
 * (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables). Not ours. `…_PORT` is a URL
 * there: a number in it was meant for us.
 */
const SERVICE_LINKS: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [/_SERVICE_(?:HOST|PORT(?:_\w+)?)$/, /^/],
  [/_PORT(?:_\d+_(?:TCP|UDP|SCTP))?$/, /^(?:tcp|udp|sctp):\/\//],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR)$/, /^/],
];

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINKS.some(([names, values]) => names.test(name) && values.test(value));
}

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings of the environment. An empty variable counts as not set. Any other variable with our prefix is a
 * problem, but for those of {@link SERVICE_LINKS}: a setting that has no effect is worse than a start that is refused.
 */
export function readEnvironment(env: Environment): SourceResult {
  const entries: Entry[] = [];
  const problems: Problem[] = [];
  for (const key of KEYS) entries.push(...readVariable(env, key, key.variable));
  const known = [...KEYS.map((key) => key.variable), ...OTHER_VARIABLES];
  for (const name of Object.keys(env).sort()) {
    const value = env[name] ?? "";
    if (!name.startsWith(VARIABLE_PREFIX) || known.includes(name) || value.trim() === "") continue;
    if (isServiceLink(name, value)) continue;
    problems.push({ where: name, path: undefined, message: describeUnknown(name, known) });
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

/** What to write instead of a variable that means nothing. */
function describeUnknown(name: string, known: readonly string[]): string {
  const own = name.slice(VARIABLE_PREFIX.length);
  const section = `${VARIABLE_PREFIX}${own.split("_")[0]}_`;
  const siblings = known.filter((variable) => variable.startsWith(section));
  // Of names in a section only what follows is compared: else its letters would make any two of them look alike.
  const [prefix, candidates] = siblings.length > 1 ? [section, siblings] : [VARIABLE_PREFIX, known];
  const meant = /^(?:PORT|HOST|BIND)$/.test(own)
    ? `${VARIABLE_PREFIX}LISTEN`
    : nearestBehind(prefix, name, candidates);
  if (meant !== undefined) return `there is no such variable; did you mean ${meant}?`;
  return siblings.length > 1
    ? `there is no such variable; allowed: ${siblings.join(", ")}`
    : `there is no such variable, and names that begin with ${VARIABLE_PREFIX} are the gateway's own; remove it, or rename it if it is for something else`;
}

function nearestBehind(prefix: string, name: string, candidates: readonly string[]): string | undefined {
  const rest = (variable: string) => variable.slice(prefix.length);
  const found = nearest(rest(name), candidates.map(rest));
  return found === undefined ? undefined : prefix + found;
}
