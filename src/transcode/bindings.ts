import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { gatewayError } from "../errors/reasons.ts";
import type { RestRequest } from "../lib/rest.ts";
import { type Binding, compileBinding } from "./binding.ts";
import type { HttpBinding, HttpRule, HttpRules } from "./http-rules.ts";
import { parsePathTemplate } from "./path-template.ts";
import { invalidField } from "./refusal.ts";
import { findRivals, type Rival } from "./rivals.ts";
import type { RuleProblem, RulesResult } from "./rule-problem.ts";
import { NO_MATCH } from "./segment-pattern.ts";
import { shapeMismatch } from "./shape-mismatch.ts";

/** How each method of google.longrunning.Operations is called over HTTP, for one version of one API. */
export interface Bindings {
  readonly apiVersion: string;
  /** The methods that have a rule, in the order of the service, with their bindings in the order they are tried. */
  readonly methods: readonly BoundMethod[];
  /** What is odd about the rules, but harms no call: bindings that were left out. */
  readonly warnings: readonly RuleProblem[];
  /**
   * The HTTP request for a call: that of the first binding whose template fits the message completely.
   *
   * @throws ConnectError UNIMPLEMENTED for a method without a rule; INVALID_ARGUMENT with a violation of the field for a
   * name that fits no binding or must not be sent, and for other values that must not.
   */
  transcode(method: DescMethod, message: Message): RestRequest;
}

/** A method and its bindings, for display. */
export interface BoundMethod {
  readonly method: DescMethod;
  readonly bindings: readonly Pick<Binding, "verb" | "template" | "body">[];
}

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

/**
 * Compiles the rules for one version of the API: each rule's bindings whose template begins with `/{apiVersion}/`, in
 * the order of the file. Operation names carry no version, so the name cannot choose it; and a rule may mix versions
 * (documentai: `/v1/…` and `/uiv1beta3/…`), so the file cannot either.
 *
 * All bindings are checked, whatever their version; every problem is reported, not only the first.
 */
export function compileBindings(rules: HttpRules, apiVersion: string): RulesResult<Bindings> {
  const problems: RuleProblem[] = [];
  const warnings: RuleProblem[] = [];
  const compiled: CompiledMethod[] = [];
  for (const method of Operations.methods) {
    const selector = `${Operations.typeName}.${method.name}`;
    const rule = rules.rules.find((candidate) => candidate.selector === selector);
    if (!rule) continue;
    const compiler = new RuleCompiler(rules.source, rule, method);
    const bindings = compiler.compile(apiVersion);
    problems.push(...compiler.problems);
    warnings.push(...compiler.warnings);
    compiled.push({ method, bindings, rivals: [] });
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: new CompiledBindings(apiVersion, withRivals(compiled), warnings) };
}

/** Compiles one rule, and collects what is wrong with it. */
class RuleCompiler {
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

interface CompiledMethod extends BoundMethod {
  readonly bindings: readonly Binding[];
  /** For each binding, the bindings of other methods that could take its path. */
  readonly rivals: readonly (readonly Rival[])[];
}

function withRivals(methods: readonly CompiledMethod[]): readonly CompiledMethod[] {
  const competitors = methods.map(({ method, bindings }) => ({ method: method.name, bindings }));
  return methods.map((compiled) => ({
    ...compiled,
    rivals: compiled.bindings.map((binding) => findRivals(compiled.method.name, binding, competitors)),
  }));
}

class CompiledBindings implements Bindings {
  readonly apiVersion: string;
  readonly methods: readonly CompiledMethod[];
  readonly warnings: readonly RuleProblem[];
  readonly #byMethod: ReadonlyMap<DescMethod, CompiledMethod>;

  constructor(apiVersion: string, methods: readonly CompiledMethod[], warnings: readonly RuleProblem[]) {
    this.apiVersion = apiVersion;
    this.methods = methods;
    this.warnings = warnings;
    this.#byMethod = new Map(methods.map((compiled) => [compiled.method, compiled]));
  }

  transcode(method: DescMethod, message: Message): RestRequest {
    const compiled = this.#byMethod.get(method);
    if (!compiled) throw withoutRule(method);
    const { bindings } = compiled;
    for (let index = 0; index < bindings.length; index++) {
      const binding = bindings[index];
      const request = binding?.request(message);
      if (!binding || !request) continue;
      const rivals = compiled.rivals[index];
      if (rivals && rivals.length > 0) refuseRivals(rivals, binding, message);
      return request;
    }
    throw mismatch(bindings, message);
  }
}

function withoutRule(method: DescMethod): ConnectError {
  return gatewayError(
    "METHOD_WITHOUT_RULE",
    `the upstream has no ${method.name}: its HTTP rules do not mention the method`,
    { metadata: { method: `${method.parent.typeName}.${method.name}` } },
  );
}

function refuseRivals(rivals: readonly Rival[], binding: Binding, message: Message): void {
  const path = binding.rawPath(message);
  const rival = rivals.find((candidate) => candidate.owns(path));
  const variable = binding.variables[0];
  if (!rival || !variable) return;
  throw invalidField(
    variable.field.name,
    variable.read(message),
    `would make a URL that the upstream takes for ${rival.method}`,
  );
}

/** No binding fits: blame the first variable that its value does not fit. */
function mismatch(bindings: readonly Binding[], message: Message): ConnectError {
  const variables = bindings.flatMap((binding) => binding.variables);
  const blamed =
    variables.find(({ pattern, read }) => pattern.match(read(message)) === NO_MATCH) ?? variables[0];
  const field = blamed?.field.name ?? "name";
  const shapes = variables
    .filter((variable) => variable.field.name === field)
    .map(({ pattern }) => pattern.text);
  const value = blamed?.read(message) ?? "";
  return invalidField(field, value, shapeMismatch(value, [...new Set(shapes)]));
}
