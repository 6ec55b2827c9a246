import { expect, test } from "vitest";
import { parseFilter } from "../../src/emulator/filter.ts";
import { cpuMs } from "../support/cpu-time.ts";

test.each([
  ["done=true AND NOT done", true],
  ["  done  AND\tdone = false ", true],
  ["done AND AND done", false],
  ["done AND", false],
  ["doneANDdone", false],
])("%j is understood: %j", (text, understood) => {
  expect(parseFilter(text) !== undefined).toBe(understood);
});

test("a filter of blanks costs its length and no more", () => {
  const text = `done${" ".repeat(200_000)}x`;
  expect(cpuMs(() => parseFilter(text))).toBeLessThan(1_000);
});
