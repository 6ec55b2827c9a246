import { describe, expect, it } from "vitest";
import { MAX_RULES_LENGTH, parseHttpRules } from "../../src/transcode/http-rules.ts";
import { problemsOf, valueIn } from "../support/bindings.ts";

const GET = "google.longrunning.Operations.GetOperation";

function parse(text: string) {
  return parseHttpRules(text, "rules.yaml");
}

/** A rule for GetOperation with these lines. */
function rule(...lines: string[]): string {
  return ["http:", "  rules:", `  - selector: ${GET}`, ...lines.map((line) => `    ${line}`)].join("\n");
}

/** Nine lists that each hold the one before ten times: a thousand million values. */
function aliasBomb(): string {
  const levels = [..."bcdefghij"].map((level, index) => {
    const below = "abcdefghi".charAt(index);
    return `${level}: &${level} [${Array(10).fill(`*${below}`).join(", ")}]`;
  });
  return ["a: &a [1]", ...levels].join("\n");
}

describe("parseHttpRules()", () => {
  it("reads verb, template, body and additional bindings, in order", () => {
    const { rules, source } = valueIn(
      parse(
        rule(
          "post: /v1/a",
          'body: "*"',
          "additional_bindings:",
          "- put: /v1/b",
          "- {patch: /v1/c, body: name}",
        ),
      ),
    );
    expect(source).toBe("rules.yaml");
    expect(rules.map(({ selector }) => selector)).toEqual([GET]);
    expect(rules[0]?.bindings.map(({ verb, template, body }) => [verb, template, body])).toEqual([
      ["POST", "/v1/a", "*"],
      ["PUT", "/v1/b", undefined],
      ["PATCH", "/v1/c", "name"],
    ]);
  });

  it("reads JSON and camelCase", () => {
    const json = {
      http: { rules: [{ selector: GET, get: "/v1/a", additionalBindings: [{ get: "/v1/b" }] }] },
    };
    expect(valueIn(parse(JSON.stringify(json))).rules[0]?.bindings.map(({ template }) => template)).toEqual([
      "/v1/a",
      "/v1/b",
    ]);
  });

  it("lets the last rule for a selector win", () => {
    const text = `${rule("get: /v1/first")}\n  - {selector: ${GET}, get: /v1/last}`;
    const { rules } = valueIn(parse(text));
    expect(rules).toHaveLength(1);
    expect(rules[0]?.bindings[0]?.template).toBe("/v1/last");
  });

  it("skips the other keys of a published file and the rules of other services", () => {
    const text = `
type: google.api.Service
apis: [{name: x}]
authentication: {rules: [{selector: "google.longrunning.*", oauth: {}}]}
http:
  fully_decode_reserved_expansion: true
  rules:
  - {selector: google.cloud.location.Locations.GetLocation, nonsense: 1}
  - {selector: ${GET}, get: /v1/a}
`;
    expect(valueIn(parse(text)).rules).toHaveLength(1);
  });

  it.each<[string, string, string[]]>([
    ["nothing", "", ["rules.yaml: empty"]],
    ["a text", "hello", ["rules.yaml:1: not a mapping"]],
    ["no http", "name: x", ["rules.yaml:1: http: missing"]],
    ["no rules", "http: {}", ["rules.yaml:1: http.rules: missing"]],
    ["rules that are no list", "http: {rules: {a: 1}}", ["rules.yaml:1: http.rules: not a list"]],
    [
      "no rule for the service",
      "http: {rules: [{selector: a.B.C, get: /v1/x}]}",
      ["rules.yaml:1: http.rules: no rule for google.longrunning.Operations"],
    ],
    ["a rule that is no mapping", "http: {rules: [7]}", ["rules.yaml:1: http.rules[0]: not a mapping"]],
    ["no selector", "http: {rules: [{get: /v1/x}]}", ["http.rules[0].selector: not a text"]],
    [
      "a selector with a typo",
      "http:\n  rules:\n  - selector: google.longrunning.Operations.GetOperations",
      [
        'rules.yaml:3: http.rules[0].selector: "google.longrunning.Operations.GetOperations" is not one method',
      ],
    ],
    [
      "a selector for several methods",
      'http: {rules: [{selector: "google.longrunning.*"}]}',
      ["is not one method"],
    ],
    ["a selector for everything", 'http: {rules: [{selector: "*"}]}', ["is not one method"]],
    [
      "no verb",
      rule('body: "*"'),
      [`rules.yaml:3: http.rules[0] of ${GET}: has no verb (allowed: one of get, put`],
    ],
    [
      "two verbs",
      rule("get: /v1/a", "post: /v1/b"),
      [`http.rules[0] of ${GET}: has two verbs, get and post`],
    ],
    [
      "an unknown key",
      rule("get: /v1/a", "method: x"),
      [`rules.yaml:5: http.rules[0].method of ${GET}: unknown key`],
    ],
    [
      "a custom verb",
      rule("custom: {kind: HEAD, path: /v1/a}"),
      ["custom verbs are not supported", "has no verb"],
    ],
    ["a response body", rule("get: /v1/a", "response_body: x"), ["http.rules[0].response_body of"]],
    [
      "a template that is no text",
      rule("get: [/v1/a]"),
      [`rules.yaml:4: http.rules[0].get of ${GET}: not a text`],
    ],
    [
      "a body that is no text",
      rule("get: /v1/a", "body: 5"),
      [`rules.yaml:5: http.rules[0].body of ${GET}: not a text`],
    ],
    [
      "additional bindings that are no list",
      rule("get: /v1/a", "additional_bindings: {get: /v1/b}"),
      [`rules.yaml:5: http.rules[0].additional_bindings of ${GET}: not a list`],
    ],
    [
      "nested additional bindings",
      rule("get: /v1/a", "additional_bindings:", "- get: /v1/b", "  additional_bindings: []"),
      ["rules.yaml:7: http.rules[0].additional_bindings[0].additional_bindings of", "one level deep only"],
    ],
    [
      "a selector in an additional binding",
      rule("get: /v1/a", "additional_bindings:", "- {get: /v1/b, selector: x}"),
      ["http.rules[0].additional_bindings[0].selector of", "has the selector of its rule"],
    ],
    ["a duplicate key", rule("get: /v1/a", "get: /v1/b"), ["rules.yaml:5: Map keys must be unique"]],
    ["no YAML", "http: [", ["rules.yaml:1: "]],
    ["two documents", "a: 1\n---\nb: 2", ["multiple documents"]],
    ["an alias bomb", aliasBomb(), ["alias"]],
    ["too much", `# ${"x".repeat(MAX_RULES_LENGTH)}`, [`longer than ${MAX_RULES_LENGTH} characters`]],
  ])("says what is wrong with %s", (_, text, parts) => {
    const problems = problemsOf(parse(text)).join("\n");
    for (const part of parts) expect(problems).toContain(part);
  });

  it("reports every problem, each with what is allowed", () => {
    const problems = parse(rule("get: /v1/a", "method: x", "additional_bindings:", "- {}", "- get: 3"));
    expect(problemsOf(problems)).toEqual([
      `rules.yaml:5: http.rules[0].method of ${GET}: unknown key (allowed: selector, get, put, post, delete, patch, body, additional_bindings)`,
      `rules.yaml:7: http.rules[0].additional_bindings[0] of ${GET}: has no verb (allowed: one of get, put, post, delete, patch)`,
      `rules.yaml:8: http.rules[0].additional_bindings[1].get of ${GET}: not a text (allowed: a path template, e.g. /v1/{name=operations/*})`,
    ]);
  });

  it("is not touched by __proto__", () => {
    const problems = problemsOf(parse(rule("get: /v1/a", "__proto__: {body: x}")));
    expect(problems.join()).toContain("__proto__");
  });
});
