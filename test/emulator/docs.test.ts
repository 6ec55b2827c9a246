import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OPERATION_KINDS } from "../../src/emulator/kinds.ts";
import { type RunningEmulator, startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";

const text = readFileSync("docs/emulator.md", "utf8");
const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", code = ""]) => ({
  language,
  code,
}));
const [setUp, ...examples] = blocks
  .map((block, index) => ({ ...block, expected: blocks[index + 1] }))
  .filter(({ language }) => language === "sh");

// One for each example: what another has started or set would show.
let running: RunningEmulator;
beforeEach(async () => {
  running = await startEmulator({ clock: systemClock, demo: true, listen: "127.0.0.1:0" });
});
afterEach(() => running.close());

/** JSON values that stand one after the other. */
function jsonValues(output: string): unknown[] {
  const values: unknown[] = [];
  let rest = output.trim();
  while (rest !== "") {
    let end = rest.indexOf("\n");
    for (;;) {
      const head = end < 0 ? rest : rest.slice(0, end);
      try {
        values.push(JSON.parse(head));
        rest = rest.slice(head.length).trim();
        break;
      } catch (error) {
        if (end < 0) throw error;
        end = rest.indexOf("\n", end + 1);
      }
    }
  }
  return values;
}

/** What the document shows, where "..." stands for any value and fields may be left out. */
function pattern(shown: unknown): unknown {
  if (shown === "...") return expect.anything();
  if (Array.isArray(shown)) return expect.arrayContaining(shown.map(pattern));
  if (typeof shown !== "object" || shown === null) return shown;
  const fields = Object.entries(shown).map(([key, value]) => [key, pattern(value)]);
  return fields.length === 0 ? shown : expect.objectContaining(Object.fromEntries(fields));
}

test("has examples", () => {
  expect(examples.length).toBeGreaterThanOrEqual(9);
});

test.each(examples)(
  "runs as it stands and shows what the document shows: $code",
  async ({ code, expected }) => {
    const script = `${setUp?.code.replace("http://127.0.0.1:8090", running.endpoint)}${code}`;
    // Without --norc, bash takes a socket as its input for a remote shell, and reads the settings of interactive ones.
    const { stdout, stderr } = await promisify(execFile)("bash", [
      "--norc",
      "-euo",
      "pipefail",
      "-c",
      script,
    ]);
    expect(stderr).toBe("");
    if (expected?.language === "text") expect(stdout).toBe(expected.code);
    else {
      expect(expected?.language).toBe("json");
      expect(jsonValues(stdout)).toEqual(jsonValues(expected?.code ?? "").map(pattern));
    }
  },
);

test("names every kind, and no other", () => {
  const section = text.slice(text.indexOf("\n## Kinds"), text.indexOf("\n## In tests"));
  const list = section.slice(0, section.indexOf("Where Google documents"));
  const named = [...list.matchAll(/`([\w.]+)`/g)].map(([, name]) => name);
  expect(named.sort()).toEqual(OPERATION_KINDS.map(({ name }) => name).sort());
  const betaOnly = list.slice(0, list.indexOf("(v1beta1 only)"));
  for (const { name, versions } of OPERATION_KINDS) {
    expect([name, betaOnly.includes(`\`${name}\``)]).toEqual([name, versions.length === 1]);
  }
});
