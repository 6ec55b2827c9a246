import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileSegmentPattern, NO_MATCH, PLAIN, UNUSUAL } from "../../src/transcode/segment-pattern.ts";
import { cpuMs } from "../support/cpu-time.ts";

function match(pattern: string, value: string) {
  return compileSegmentPattern(pattern.split("/")).match(value);
}

describe("compileSegmentPattern()", () => {
  it.each([
    ["projects/*/operations/*", "projects/p/operations/o", PLAIN],
    ["projects/*/operations/*", "projects/p-_.~/operations/A9", PLAIN],
    ["projects/*/operations/*", "projects/.a/operations/...", PLAIN],
    ["projects/*/operations/*", "projects/../operations/o", UNUSUAL],
    ["projects/*/operations/*", "projects/p/operations/.", UNUSUAL],
    ["projects/*/operations/*", "projects/é/operations/o", UNUSUAL],
    ["projects/*/operations/*", "projects/a:b/operations/o", UNUSUAL],
    ["projects/*/operations/*", "projects//operations/o", NO_MATCH],
    ["projects/*/operations/*", "projects/p/operations/", NO_MATCH],
    ["projects/*/operations/*", "projects/p/operations", NO_MATCH],
    ["projects/*/operations/*", "projects/p/operations/o/x", NO_MATCH],
    ["projects/*/operations/*", "/projects/p/operations/o", NO_MATCH],
    ["projects/*/operations/*", "projects/p/operations/o\n", UNUSUAL],
    ["projects/*/operations/*", "", NO_MATCH],
    ["*/*/locations/*", "folders/1/locations/l", PLAIN],
    ["*/*/locations/*", "../1/locations/l", UNUSUAL],
    ["operations", "operations", PLAIN],
    ["operations", "operations/", NO_MATCH],
    ["**", "a", PLAIN],
    ["**", "a/b/c", PLAIN],
    ["**", "a/../c", UNUSUAL],
    ["**", "a//c", NO_MATCH],
    ["**", "", NO_MATCH],
    ["operations/**", "operations", NO_MATCH],
    ["operations/**", "operations/", NO_MATCH],
    ["operations/**", "operations/a/b", PLAIN],
    ["a/**/b/*", "a/x/b/y", PLAIN],
    ["a/**/b/*", "a/b/b/b", PLAIN],
    ["a/**/b/*", "a/x/é/b/y", UNUSUAL],
    ["a/**/b/*", "a/b/y", NO_MATCH],
    ["a/**/b/*", "a/b", NO_MATCH],
    ["a.b/*", "aXb/c", NO_MATCH],
    ["*", "a/b", UNUSUAL],
    ["*", "..", UNUSUAL],
    ["*", "", NO_MATCH],
  ])("matches %s with %j: %i", (pattern, value, expected) => {
    expect(match(pattern, value)).toBe(expected);
  });

  it("agrees with the definition, segment by segment", () => {
    const segment = fc.constantFrom("a", "b", "*", "**");
    const patterns = fc
      .array(segment, { minLength: 1, maxLength: 5 })
      .filter((s) => s.filter((x) => x === "**").length < 2 && s.join() !== "*");
    const part = fc.constantFrom("a", "b", "aa", "", ".", "..", ".a", "é", "a:b");
    const values = fc.array(part, { maxLength: 7 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(patterns, values, (pattern, value) => {
        expect(match(pattern.join("/"), value)).toBe(byDefinition(pattern, value));
      }),
      { numRuns: 5000 },
    );
  });

  it.each(["projects/*/operations/*", "a/**", "a/**/b", "a/**/*/b", "**/*/*"])(
    "takes linear time over %s",
    (pattern) => {
      const compiled = compileSegmentPattern(pattern.split("/"));
      const hostile = [
        `a/${"b/".repeat(50_000)}!`,
        "a/b".repeat(30_000),
        "/".repeat(100_000),
        ".".repeat(100_000),
      ];
      const took = cpuMs(() => {
        for (const value of hostile) compiled.match(value);
      });
      // Quadratic time over these would be many seconds.
      expect(took).toBeLessThan(1000);
    },
  );
});

function byDefinition(pattern: readonly string[], value: string) {
  const segments = value.split("/");
  const fits = (p: readonly string[], s: readonly string[]): boolean => {
    const [first, ...rest] = p;
    const [head, ...tail] = s;
    if (first === undefined || head === undefined) return p.length === s.length;
    if (first !== "*" && first !== "**") return first === head && fits(rest, tail);
    return head !== "" && (fits(rest, tail) || (first === "**" && fits(p, tail)));
  };
  if (!fits(pattern, segments)) return NO_MATCH;
  return segments.every((s) => /^[A-Za-z0-9\-_.~]+$/.test(s) && s !== "." && s !== "..") ? PLAIN : UNUSUAL;
}
