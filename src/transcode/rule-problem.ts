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

/** One line: `rules.yaml:12: http.rules[3].get of google.longrunning.Operations.GetOperation: reason (allowed: …)`. */
export function formatRuleProblem(problem: RuleProblem): string {
  const place = problem.line === undefined ? problem.source : `${problem.source}:${problem.line}`;
  const subject = [problem.path, problem.selector].filter((part) => part).join(" of ");
  const allowed = problem.allowed === undefined ? "" : ` (allowed: ${problem.allowed})`;
  return `${place}: ${subject === "" ? "" : `${subject}: `}${problem.reason}${allowed}`;
}
