import type { DescMethod } from "@bufbuild/protobuf";
import type { RestRequest } from "../lib/rest.ts";
import { type Binding, compileBinding } from "./binding.ts";
import type { HttpBinding, HttpRule } from "./http-rules.ts";
import { parsePathTemplate } from "./path-template.ts";
import type { RuleProblem } from "./rule-problem.ts";

/** The one verb with which each method may be called. */
const VERBS: Readonly<Record<string, RestRequest["verb"]>> = {
  ListOperations: "GET",
  GetOperation: "GET",
  DeleteOperation: "DELETE",
  CancelOperation: "POST",
  WaitOperation: "POST",
};

/** Custom verbs that belong to one method; a binding that lends one to another method would call the wrong one. */
const CUSTOM_VERBS: Readonly<Record<string, string>> = { cancel: "CancelOperation", wait: "WaitOperation" };

/** Compiles one rule, and collects what is wrong with it. */
export class RuleCompiler {
  readonly problems: RuleProblem[] = [];
  readonly warnings: RuleProblem[] = [];
  readonly #source: string;
  readonly #rule: HttpRule;
  readonly #method: DescMethod;

  constructor(source: string, rule: HttpRule, method: DescMethod) {
    this.#source = source;
    this.#rule = rule;
    this.#method = method;
  }

  compile(apiVersion: string): readonly Binding[] {
    const bindings = this.#rule.bindings
      .map((binding) => this.#binding(binding))
      .filter((binding) => binding !== undefined);
    const chosen = bindings.filter(({ template }) => template.text.startsWith(`/${apiVersion}/`));
    const versions = [...new Set(bindings.map(({ template }) => template.text.split("/")[1] ?? ""))];
    if (this.problems.length === 0 && chosen.length === 0)
      this.problems.push({
        ...this.#subject(this.#rule.place),
        reason: `no binding begins with /${apiVersion}/, the configured API version`,
        allowed: versions.length > 0 ? `API version ${versions.join(" or ")}` : undefined,
      });
    return chosen;
  }

  #binding(binding: HttpBinding): Binding | undefined {
    const template = parsePathTemplate(binding.template);
    if ("problem" in template) {
      const reason = `${template.problem} (position ${template.position + 1} of ${binding.template})`;
      return this.#report(binding, "verb", reason, "a path template as in https://google.aip.dev/127");
    }
    const verb = VERBS[this.#method.name];
    if (binding.verb !== verb)
      return this.#report(
        binding,
        "verb",
        `${this.#method.name} cannot be a ${binding.verb}`,
        verb?.toLowerCase(),
      );
    const owner = CUSTOM_VERBS[template.verb ?? ""];
    if (owner !== undefined && owner !== this.#method.name) {
      const reason = `":${template.verb}" belongs to ${owner}; the binding is left out`;
      this.warnings.push({
        ...this.#subject(binding.place, binding.place.verbKey),
        reason,
        allowed: undefined,
      });
      return undefined;
    }
    const compiled = compileBinding(this.#method.input, verb, template, binding.body);
    if ("reason" in compiled) return this.#report(binding, compiled.key, compiled.reason, compiled.allowed);
    return compiled;
  }

  #report(
    binding: HttpBinding,
    key: "verb" | "body",
    reason: string,
    allowed: string | undefined,
  ): undefined {
    const { place } = binding;
    const subject =
      key === "verb"
        ? this.#subject(place, place.verbKey)
        : this.#subject({ path: place.path, line: place.bodyLine }, "body");
    this.problems.push({ ...subject, reason, allowed });
  }

  #subject(place: { path: string; line: number | undefined }, key?: string) {
    const path = key === undefined ? place.path : `${place.path}.${key}`;
    return { source: this.#source, selector: this.#rule.selector, path, line: place.line };
  }
}
