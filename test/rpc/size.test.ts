import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

/** About 1,500, as src/rpc/README.md says; a few more are no reason to squeeze two thoughts into one line. */
const MOST_LINES = 1_550;

/** Lines with code: neither blank nor nothing but a comment. */
function codeLines(text: string): number {
  const withoutBlocks = text.replace(/^\s*\/\*[\s\S]*?\*\/\s*$/gm, "");
  return withoutBlocks.split("\n").filter((line) => /^\s*(?!\/\/)\S/.test(line)).length;
}

it("the lean path stays small enough to be read in one sitting", () => {
  const files = globSync("src/rpc/**/*.ts").filter((file) => !/\/(?:cors|connect-es)\//.test(file));
  expect(files.length).toBeGreaterThan(25);
  const lines = files.reduce((sum, file) => sum + codeLines(readFileSync(file, "utf8")), 0);
  expect(lines).toBeGreaterThan(1_000);
  expect(lines).toBeLessThanOrEqual(MOST_LINES);
});
