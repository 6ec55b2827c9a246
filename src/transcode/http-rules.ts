import { echo } from "../lib/echo.ts";
import type { RestRequest } from "../lib/rest.ts";
import type { RuleProblem, RulesResult } from "./rule-problem.ts";
import { readYaml, type YamlSource } from "./yaml-source.ts";

/** The rules of a file that concern google.longrunning.Operations; of several with one selector the last. */
export interface HttpRules {
  /** Name of the file, for messages. */
  readonly source: string;
  readonly rules: readonly HttpRule[];
}

/** One google.api.HttpRule. */
export interface HttpRule {
  /** Full name of the method. */
  readonly selector: string;
  readonly place: RulePlace;
  /** The binding that the rule states itself, then its additional ones, in the order of the file. */
  readonly bindings: readonly HttpBinding[];
}

/** One way to call a method; the template is a text still. */
export interface HttpBinding {
  readonly verb: RestRequest["verb"];
  readonly template: string;
  /** `undefined`: no body; `*`: all fields that are not in the path; else the name of one field. */
  readonly body: string | undefined;
  /** Where the binding stands, and in which lines its template and body. */
  readonly place: RulePlace & { readonly verbKey: string; readonly bodyLine: number | undefined };
}

/** Where in the source something stands. */
export interface RulePlace {
  /** E.g. `http.rules[3].additional_bindings[0]`. */
  readonly path: string;
  readonly line: number | undefined;
}

/** The rules of a file, or all problems of its form, with those rules that have none, for what else is wrong with these. */
export type ParsedRules =
  | Extract<RulesResult<HttpRules>, { ok: true }>
  | (Extract<RulesResult<HttpRules>, { ok: false }> & { readonly readable?: HttpRules });

/** Characters of a rules file. The largest that Google publishes (aiplatform) has 74,000. */
export const MAX_RULES_LENGTH = 1_048_576;

const SERVICE = "google.longrunning.Operations";
const METHODS = ["ListOperations", "GetOperation", "DeleteOperation", "CancelOperation", "WaitOperation"];
const VERBS = { get: "GET", put: "PUT", post: "POST", delete: "DELETE", patch: "PATCH" } as const;
const VERB_NAMES = Object.keys(VERBS).join(", ");
const BINDING_KEYS = [...Object.keys(VERBS), "body"];
const RULE_KEYS = ["selector", ...BINDING_KEYS, "additional_bindings"];

/**
 * Reads rules in the form of google.api.Service, `http.rules`, as YAML or JSON. Other keys of a published service
 * configuration may stand beside them, rules of other services too; neither is looked at. The keys of a rule are
 * checked, in snake_case or camelCase.
 *
 * @param source name of the file, for messages.
 * @see https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
 */
export function parseHttpRules(text: string, source: string): ParsedRules {
  if (text.length > MAX_RULES_LENGTH)
    return unreadable(source, [{ line: undefined, message: `longer than ${MAX_RULES_LENGTH} characters` }]);
  const yaml = readYaml(text);
  return "errors" in yaml ? unreadable(source, yaml.errors) : new RulesReader(yaml, source).read();
}

function unreadable(source: string, errors: readonly { line: number | undefined; message: string }[]) {
  const allowed = "YAML or JSON of a google.api.Service";
  const problems = errors.map(({ line, message }) => ({
    source,
    line,
    path: "",
    selector: undefined,
    reason: message,
    allowed,
  }));
  return { ok: false, problems } as const;
}

type Path = readonly (string | number)[];
type Mapping = Readonly<Record<string, unknown>>;

/** Walks the document once, collects every problem instead of stopping at the first. */
class RulesReader {
  readonly #yaml: YamlSource;
  readonly #source: string;
  readonly #problems: RuleProblem[] = [];

  constructor(yaml: YamlSource, source: string) {
    this.#yaml = yaml;
    this.#source = source;
  }

  read(): ParsedRules {
    const bySelector = new Map<string, HttpRule>();
    for (const [index, value] of this.#rules().entries()) {
      const rule = this.#rule(value, ["http", "rules", index]);
      if (rule) bySelector.set(rule.selector, rule);
    }
    if (this.#problems.length === 0 && bySelector.size === 0)
      this.#report(["http", "rules"], `no rule for ${SERVICE}`, `e.g. selector: ${SERVICE}.${METHODS[1]}`);
    const rules: HttpRules = { source: this.#source, rules: [...bySelector.values()] };
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems, readable: rules };
    return { ok: true, value: rules };
  }

  #rules(): readonly unknown[] {
    const root = this.#yaml.value;
    const http = isMapping(root) ? root["http"] : undefined;
    const rules = isMapping(http) ? http["rules"] : undefined;
    if (Array.isArray(rules)) return rules;
    const allowed = "http: {rules: [a list of google.api.HttpRule]}";
    const [path, found]: [Path, unknown] = isMapping(http)
      ? [["http", "rules"], rules]
      : isMapping(root)
        ? [["http"], http]
        : [[], root];
    const missing = found === undefined || found === null;
    const wanted = isMapping(http) ? "a list" : "a mapping";
    this.#report(path, missing ? (path.length > 0 ? "missing" : "empty") : `not ${wanted}`, allowed);
    return [];
  }

  /** One entry of `http.rules`; `undefined` when it is for another service, or has problems. */
  #rule(value: unknown, path: Path): HttpRule | undefined {
    if (!isMapping(value)) return this.#report(path, "not a mapping", "a google.api.HttpRule");
    const selector = value["selector"];
    if (typeof selector !== "string")
      return this.#report([...path, "selector"], "not a text", "the full name of a method");
    // Also catches `*`, `google.longrunning.*` and lists, which selectors of other parts of a configuration may be.
    if (!selector.includes(SERVICE) && !/^google\.longrunning\.\*|^\*$/.test(selector)) return undefined;
    if (!METHODS.some((method) => selector === `${SERVICE}.${method}`)) {
      const allowed = METHODS.map((method) => `${SERVICE}.${method}`).join(", ");
      return this.#report(
        [...path, "selector"],
        `${echo(selector)} is not one method of ${SERVICE}`,
        allowed,
      );
    }
    const before = this.#problems.length;
    const bindings = [this.#binding(value, path, RULE_KEYS, selector)];
    const list = value["additional_bindings"] ?? value["additionalBindings"] ?? [];
    const listPath = [...path, "additional_bindings"];
    if (!Array.isArray(list)) return this.#report(listPath, "not a list", "a list of bindings", selector);
    for (const [index, additional] of list.entries())
      bindings.push(this.#binding(additional, [...listPath, index], BINDING_KEYS, selector));
    if (this.#problems.length > before) return undefined;
    return {
      selector,
      place: this.#place(path),
      bindings: bindings.filter((binding) => binding !== undefined),
    };
  }

  /** Verb, template and body of a rule or of one of its additional bindings. */
  #binding(value: unknown, path: Path, keys: readonly string[], selector: string): HttpBinding | undefined {
    if (!isMapping(value)) return this.#report(path, "not a mapping", "a verb with a template", selector);
    for (const key of Object.keys(value))
      if (!keys.includes(snakeCase(key)))
        this.#report([...path, key], unknownKey(snakeCase(key)), keys.join(", "), selector);
    const [verb, second] = Object.keys(value).filter(isVerb);
    if (!verb) return this.#report(path, "has no verb", `one of ${VERB_NAMES}`, selector);
    if (second)
      return this.#report(path, `has two verbs, ${verb} and ${second}`, `one of ${VERB_NAMES}`, selector);
    const template = value[verb];
    if (typeof template !== "string")
      return this.#report(
        [...path, verb],
        "not a text",
        "a path template, e.g. /v1/{name=operations/*}",
        selector,
      );
    const body = value["body"] ?? "";
    if (typeof body !== "string")
      return this.#report([...path, "body"], "not a text", '"*" or the name of a request field', selector);
    const bodyLine = this.#yaml.lineOf([...path, "body"]);
    const place = { ...this.#place(path, [...path, verb]), verbKey: verb, bodyLine };
    return { verb: VERBS[verb], template, body: body === "" ? undefined : body, place };
  }

  #place(path: Path, linePath: Path = path): RulePlace {
    return { path: formatPath(path), line: this.#yaml.lineOf(linePath) };
  }

  #report(path: Path, reason: string, allowed: string, selector?: string): undefined {
    this.#problems.push({ source: this.#source, ...this.#place(path), selector, reason, allowed });
  }
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isVerb(key: string): key is keyof typeof VERBS {
  return Object.hasOwn(VERBS, key);
}

function unknownKey(key: string): string {
  if (key === "additional_bindings") return "additional bindings are one level deep only";
  if (key === "selector") return "an additional binding has the selector of its rule";
  if (key === "custom") return "custom verbs are not supported";
  if (key === "response_body") return "not supported: an Operation is the whole response body";
  return "unknown key";
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function formatPath(path: Path): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : index > 0 ? `.${part}` : part))
    .join("");
}
