import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { commandLine, programAsCalled } from "../../src/cli/command-line.ts";

test.each([
  ["/home/me/gateway/bin/lro-gateway", "/home/me/gateway", "/usr/bin", "bin/lro-gateway"],
  ["/home/me/gateway/bin/lro-gateway", "/home/me/gateway/bin", "/usr/bin", "./lro-gateway"],
  ["/home/me/gateway/bin/lro-gateway", "/home/me", undefined, "gateway/bin/lro-gateway"],
  ["/home/me/gateway/bin/lro-gateway", "/home/other", "/usr/bin", "/home/me/gateway/bin/lro-gateway"],
  ["/usr/local/bin/lro-gateway", "/home/me", "/usr/bin:/usr/local/bin", "lro-gateway"],
])("%s, called in %s with the PATH %s, is called again as %s", (script, directory, path, expected) => {
  expect(programAsCalled(script, directory, path)).toBe(expected);
});

test("a shell reads a command line as the words that it was made of", () => {
  const word = fc.string({ unit: fc.constantFrom(..."ab$`'\"\\ \t\n*?~!#&|;(){}[]<>=-/:.é"), minLength: 1 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const line = commandLine(["printf", "%s\\0", ...words]);
      const printed = execFileSync("sh", ["-c", line], { encoding: "utf8" });
      expect(printed.split("\0").slice(0, -1)).toEqual(words);
    }),
    { numRuns: 60 },
  );
});
