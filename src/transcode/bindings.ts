import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { gatewayError } from "../errors/reasons.ts";
import type { RestRequest } from "../lib/rest.ts";
import type { Binding } from "./binding.ts";
import type { HttpRules } from "./http-rules.ts";
import { invalidField } from "./refusal.ts";
import { findRivals, type Rival } from "./rivals.ts";
import { RuleCompiler } from "./rule-compiler.ts";
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
