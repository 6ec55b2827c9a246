import { expect, test } from "vitest";
import { formatPairs } from "../../src/cli/table.ts";
import { cpuMs } from "../support/cpu-time.ts";

test("lines do not end in blanks, and blanks within them stay", () => {
  expect(formatPairs([["a", "b  c  \nd "]])).toBe("a   b  c\n    d");
});

test("a text with many blanks costs its length and no more", () => {
  const text = `b${" ".repeat(100_000)}c`;
  expect(cpuMs(() => formatPairs([["a", text]]))).toBeLessThan(2_000);
});
