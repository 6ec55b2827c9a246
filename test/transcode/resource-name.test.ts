import { describe, expect, it } from "vitest";
import { MAX_NAME_BYTES, nameProblem } from "../../src/transcode/resource-name.ts";

describe("nameProblem()", () => {
  it.each([
    "projects/p",
    "projects/example.com:p/locations/l",
    "a/...",
    "a/.b/..c",
    "a b/c?d#e",
    "100%/1%zz/%",
    "%41/%C3%A9",
    "données/数据集/𝒜",
    "１/हिन्दी",
    "a/b;c=d@e",
    "𝒜".repeat(MAX_NAME_BYTES / 4),
  ])("has nothing against %j", (value) => {
    expect(nameProblem(value)).toBeUndefined();
  });

  it.each([
    ["", "is empty"],
    ["/a", "begins with a slash"],
    ["a/", "ends with a slash"],
    ["a//b", "has an empty segment (segment 2)"],
    ["a/b/../c", 'has the segment ".." (segment 3)'],
    ["./a", 'has the segment "." (segment 1)'],
    ["a/..", 'has the segment ".." (segment 2)'],
    ["a\\b", "holds a backslash at character 2"],
    ["a\tb", "holds the character U+0009 at character 2"],
    ["a\0", "holds the character U+0000 at character 2"],
    ["a\x7f", "holds the character U+007F at character 2"],
    ["a\x85b", "holds the character U+0085 at character 2"],
    ["a\u2028", "holds the character U+2028 at character 2"],
    ["a\u2029", "holds the character U+2029 at character 2"],
    ["\u202ea", "holds the character U+202E at character 1"],
    ["a\u2066", "holds the character U+2066 at character 2"],
    ["a\u061c", "holds the character U+061C at character 2"],
    ["a\ud800", "holds a lone surrogate (half of a UTF-16 pair), which has no UTF-8 form"],
    ["\udc00a", "holds a lone surrogate (half of a UTF-16 pair), which has no UTF-8 form"],
    ["a%2Fb", 'holds a percent escape at character 2 that stands for "/"'],
    ["a%2fb", 'holds a percent escape at character 2 that stands for "/"'],
    ["%2e%2E", 'holds a percent escape at character 1 that stands for "."'],
    ["a%3F", 'holds a percent escape at character 2 that stands for "?"'],
    ["a%23", 'holds a percent escape at character 2 that stands for "#"'],
    ["a%3acancel", 'holds a percent escape at character 2 that stands for ":"'],
    ["a%5Cb", "holds a percent escape at character 2 that stands for a backslash"],
    ["a%00", "holds a percent escape at character 2 that stands for the character U+0000"],
    ["a%0d%0aX", "holds a percent escape at character 2 that stands for the character U+000D"],
    ["a%E2%80%A8", "holds a percent escape at character 2 that stands for the character U+2028"],
    ["a%252e", 'holds a percent escape at character 2 that stands for "%"'],
    ["a%2%65", "holds percent escapes that make new percent escapes"],
    ["a%c0%af", "holds a percent escape at character 2 that is not UTF-8"],
    ["a%ff", "holds a percent escape at character 2 that is not UTF-8"],
    ["x".repeat(MAX_NAME_BYTES + 1), "is longer than 2048 bytes"],
    [`${"𝒜".repeat(MAX_NAME_BYTES / 4)}x`, "is longer than 2048 bytes"],
  ])("says that %j %s", (value, problem) => {
    expect(nameProblem(value)).toBe(problem);
  });
});
