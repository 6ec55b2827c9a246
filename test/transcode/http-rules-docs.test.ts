import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseHttpRules } from "../../src/transcode/http-rules.ts";
import { bindingsOf, compile, problemsOf, requestLine, transcode } from "../support/bindings.ts";

const docs = readFileSync(new URL("../../docs/http-rules.md", import.meta.url), "utf8");
const [example = ""] = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map((block) =>
  (block[1] ?? "").replace(/^ {3}/gm, ""),
);

describe("docs/http-rules.md", () => {
  it("has rules that work as they stand", () => {
    const bindings = bindingsOf(example, "v2");
    const name = "projects/p/locations/us-central1/operations/1";
    expect(requestLine(transcode(bindings, "cancel", { name }))).toBe(`POST /v2/${name}:cancel {}`);
  });

  it("shows the problems as they are reported", () => {
    const unclosed = example.replace("/locations/*/operations/*}'", "'");
    const misspelt = example.replace("    post:", "    methd: x\n    post:");
    const problems = [
      ...problemsOf(compile(unclosed, "v2")),
      ...problemsOf(parseHttpRules(misspelt, "rules.yaml")),
    ];
    expect(problems).toHaveLength(2);
    for (const problem of problems) expect(docs).toContain(problem.replace("rules.yaml", "speech.yaml"));
  });
});
