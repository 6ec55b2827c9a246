import type { Problem } from "../config/problem.ts";

/** What is wrong with a rules file at one place, in words for the person who wrote the file. */
export interface RuleProblem {
  /** The file, as the user named it. */
  readonly source: string;
  /** 1-based line in the source, where known. */
  readonly line: number | undefined;
  /** Where in the document: `http.rules[3].additional_bindings[0].get`. */
  readonly path: string;
  /** The method that the rule is for, if the rule got as far as naming one. */
  readonly selector: string | undefined;
  readonly reason: string;
  /** What would be right, if it can be said in a few words. */
  readonly allowed: string | undefined;
}

/** A value, or everything that is wrong with what it was to be made from. */
export type RulesResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

/** The same among the other problems of a configuration: `http.rules[3].get of google.longrunning.Operations.GetOperation`. */
export function asProblem({ source, line, path, selector, reason, allowed }: RuleProblem): Problem {
  return {
    where: line === undefined ? source : `${source}:${line}`,
    path: [path, selector].filter(Boolean).join(" of ") || undefined,
    message: allowed === undefined ? reason : `${reason} (allowed: ${allowed})`,
  };
}
