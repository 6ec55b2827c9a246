import { create, type DescMethod } from "@bufbuild/protobuf";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { formatProblem } from "../../src/config/problem.ts";
import type { RestRequest } from "../../src/lib/rest.ts";
import { type Bindings, compileBindings } from "../../src/transcode/bindings.ts";
import { parseHttpRules } from "../../src/transcode/http-rules.ts";
import { loadBindings } from "../../src/transcode/load-bindings.ts";
import { asProblem, type RulesResult } from "../../src/transcode/rule-problem.ts";

const { method } = Operations;

/** The value of a result; a test that gets problems instead fails with them. */
export function valueIn<T>(result: RulesResult<T>): T {
  if (!result.ok) throw new Error(problemsOf(result).join("\n"));
  return result.value;
}

/** The problems of a result, one formatted line each; none for a value. */
export function problemsOf(result: RulesResult<unknown>): string[] {
  return result.ok ? [] : result.problems.map((problem) => formatProblem(asProblem(problem)));
}

/** The Healthcare rules that ship with the gateway. */
export function healthcareBindings(apiVersion = "v1beta1"): Bindings {
  return valueIn(loadBindings({ rules: undefined, apiVersion }));
}

/** Bindings from the text of a rules file. */
export function bindingsOf(rules: string, apiVersion: string): Bindings {
  return valueIn(compile(rules, apiVersion));
}

/** Rules text to bindings or problems. */
export function compile(rules: string, apiVersion: string): RulesResult<Bindings> {
  const parsed = parseHttpRules(rules, "rules.yaml");
  return parsed.ok ? compileBindings(parsed.value, apiVersion) : parsed;
}

/** Short words for the methods in tests. */
export type MethodWord = "list" | "get" | "delete" | "cancel" | "wait";

/** The descriptor for a word. */
export const METHODS: Readonly<Record<MethodWord, DescMethod>> = {
  list: method.listOperations,
  get: method.getOperation,
  delete: method.deleteOperation,
  cancel: method.cancelOperation,
  wait: method.waitOperation,
};

/** Transcodes a request given as its fields. */
export function transcode(
  bindings: Bindings,
  word: MethodWord,
  fields: Readonly<Record<string, unknown>>,
): RestRequest {
  return bindings.transcode(METHODS[word], create(METHODS[word].input, fields));
}

/** A request as one line: verb, path, body if there is one. */
export function requestLine(request: RestRequest): string {
  const body = request.body === undefined ? "" : ` ${new TextDecoder().decode(request.body)}`;
  return `${request.verb} ${request.path}${body}`;
}
