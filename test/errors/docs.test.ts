import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { REASONS } from "../../src/errors/reasons.ts";
import { codeName } from "../../src/lib/code-names.ts";

const page = readFileSync("docs/errors.md", "utf8");
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((text) => [text.split("\n")[0] ?? "", text.replace(/\s+/g, " ")]),
);

test.for(Object.entries(REASONS))(
  "docs/errors.md says what %s means",
  ([reason, { code, retryable, text }]) => {
    const section = sections.get(reason) ?? "";
    expect(section).toContain(`\`${codeName(code)}\` · retry: ${retryable ? "yes" : "no"}`);
    expect(section).toContain(text);
    expect(section.length, "and what to do").toBeGreaterThan(reason.length + text.length + 30);
  },
);

test("docs/errors.md explains no reason that does not exist", () => {
  expect([...sections.keys()].filter((reason) => !Object.hasOwn(REASONS, reason))).toEqual([]);
});
