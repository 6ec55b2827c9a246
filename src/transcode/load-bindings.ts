import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { UpstreamConfig } from "../config/config.ts";
import { type Bindings, compileBindings } from "./bindings.ts";
import { parseHttpRules } from "./http-rules.ts";
import type { RulesResult } from "./rule-problem.ts";

/** The rules that ship with the gateway. */
const HEALTHCARE_RULES = fileURLToPath(new URL("./rules/healthcare.yaml", import.meta.url));

/**
 * Reads, checks and compiles the rules that the configuration asks for: its file, or the Healthcare rules. For start
 * only, hence synchronous. Every problem of the file is reported, in its order; that it cannot be read is one, too.
 */
export function loadBindings(config: Pick<UpstreamConfig, "rules" | "apiVersion">): RulesResult<Bindings> {
  const file = config.rules ?? HEALTHCARE_RULES;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const reason = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    const allowed = "a file of google.api.Service http.rules";
    return {
      ok: false,
      problems: [{ source: file, line: undefined, path: "", selector: undefined, reason, allowed }],
    };
  }
  const rules = parseHttpRules(text, file);
  if (rules.ok) return compileBindings(rules.value, config.apiVersion);
  const rest = rules.readable && compileBindings(rules.readable, config.apiVersion);
  const problems = [...rules.problems, ...(rest?.ok === false ? rest.problems : [])];
  return { ok: false, problems: problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) };
}
