/** Something wrong with a configuration, ready to be shown. */
export interface Problem {
  /** Where it stands: `gateway.yaml:3`, the name of a variable, or a flag. */
  readonly where: string;
  /** The setting (`upstream.endpoint`), if it is about one. */
  readonly path: string | undefined;
  /** What is wrong and what is allowed. */
  readonly message: string;
}

/** One line of a report. */
export function formatProblem({ where, path, message }: Problem): string {
  return path === undefined ? `${where}: ${message}` : `${where}: ${path}: ${message}`;
}

/** Longest value that a complaint repeats. Longer text may be a token that was pasted into the wrong place. */
const MAX_SHOWN = 60;

/** A value as a complaint may repeat it: short, printable, without passwords. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    if (value.length > MAX_SHOWN) return `a text of ${value.length} characters`;
    return JSON.stringify(value.replace(/\/\/[^/@]*@/, "//…@"));
  }
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  if (value === null || value === undefined) return "an empty value";
  if (Array.isArray(value)) return "a list";
  return "a section";
}

/** Thrown at start when the configuration is well-formed but cannot be used: a wrong rule, a certificate, an endpoint. */
export class ConfigurationRefused extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join("; "));
    this.name = "ConfigurationRefused";
    this.problems = problems;
  }
}
