import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { OperationSpec } from "../../src/emulator/operation-spec.ts";
import { ROOT, startCommand } from "../support/cli-process.ts";
import { nodeProgram } from "./programs.ts";
import { CALL_SCENARIOS, COLLECTION_SCENARIOS, WATCH_SCENARIOS } from "./scenarios.ts";
import { countPrograms, readSnippets, startRestless, writeSnippets } from "./snippets.ts";

/** The programs of the docs for Node.js and browsers, as they stand. Those in other languages: npm run snippets. */

vi.setConfig({ testTimeout: 60_000 });

const DATASET = "projects/p/locations/l/datasets/snippets";

const ERROR_INFO = {
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  reason: "NO_ROOM",
  domain: "example.com",
};

let running: Awaited<ReturnType<typeof startRestless>>;
let directory: string;

beforeAll(async () => {
  directory = writeSnippets("node");
  running = await startRestless();
});
afterAll(() => running.close());

it("finds every program of the pages", () => {
  expect(readSnippets().size).toBe(countPrograms());
});

describe.concurrent.each(["watch.mjs", "watch-browser.mjs"])("%s", (file) => {
  it.each(Object.entries(WATCH_SCENARIOS))("%s", (_, scenario) => scenario(nodeProgram(directory, file)));
});

describe.concurrent("watch-all.mjs", () => {
  it.each(Object.entries(COLLECTION_SCENARIOS))("%s", (_, scenario) =>
    scenario(nodeProgram(directory, "watch-all.mjs")),
  );
});

describe.concurrent.each([
  ["wait.mjs", "SUCCEEDED"],
  ["cancel.mjs", "CANCELLED"],
])("%s", (file, end) => {
  it.each(Object.entries(CALL_SCENARIOS))("%s", (_, scenario) => scenario(nodeProgram(directory, file), end));
});

it.concurrent.each([
  ["wait.mjs", "SUCCEEDED"],
  ["watch.mjs", "SUCCEEDED"],
  ["poll.mjs", "SUCCEEDED"],
  ["cancel.mjs", "CANCELLED"],
])("%s runs and ends with %s", async (file, end) => {
  const durationMs = file === "cancel.mjs" ? null : 3_000;
  const name = running.emulator.emulator.createOperation({ dataset: DATASET, durationMs });
  const args = [join(directory, file), running.gateway.address, name];
  const { code, stdout, stderr } = await startCommand(process.execPath, args).ended;
  expect([code, stderr.replace(/^.*ExperimentalWarning.*\n.*\n/m, "")]).toEqual([0, ""]);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe(end);
});

it.concurrent("watch-browser.mjs runs on fetch and sees progress and the end", async () => {
  const name = running.emulator.emulator.createOperation({ dataset: DATASET, durationMs: null });
  const { watch } = (await import(pathToFileURL(join(directory, "watch-browser.mjs")).href)) as {
    watch(url: string, name: string, onProgress: (fraction: number) => void): Promise<string>;
  };
  const fractions: number[] = [];
  const end = await watch(`http://${running.gateway.address}`, name, (fraction) => {
    if (fractions.push(fraction) === 1) running.emulator.emulator.finishOperation(name);
  });
  expect(end).toBe("SUCCEEDED");
  expect(fractions.length).toBeGreaterThan(0);
});

describe("unpack.ts", () => {
  it.concurrent.each<[string, OperationSpec, RegExp]>([
    [
      "the counters and the response of types that it knows",
      { units: 100 },
      /^succeeded so far: 100n new fields: undefined\nresponse: \{"@type":"[^"]+\.v1\.fhir\.ImportResourcesResponse"\}\n$/,
    ],
    [
      "what a known type has no field for",
      { version: "v1beta1", metadata: { estimate: "soon" }, outcome: "nothing" },
      /^succeeded so far: \d+n new fields: \{ estimate: 'soon' \}\n$/,
    ],
    [
      "an unknown type as the API sent it",
      { metadata: { "@type": "type.googleapis.com/some.new.Type", count: 3 }, outcome: "nothing" },
      /^metadata: \{"@type":"type\.googleapis\.com\/some\.new\.Type",.*"count":3\}\n$/,
    ],
    [
      "the details of an error",
      { outcome: { type: "error", code: 8, message: "No room.", details: [ERROR_INFO] } },
      /\ndetail: \{"reason":"NO_ROOM","domain":"example\.com","@type":"[^"]+ErrorInfo"\}\n$/,
    ],
  ])("prints %s", async (_, spec, expected) => {
    const ended = { dataset: DATASET, durationMs: 1, ageMs: 10_000 };
    const name = running.emulator.emulator.createOperation({ ...ended, ...spec });
    const args = [join(directory, "unpack.ts"), running.gateway.address, name];
    const { code, stdout, stderr } = await startCommand(process.execPath, args).ended;
    expect([code, stderr.replace(/^.*ExperimentalWarning.*\n.*\n/m, "")]).toEqual([0, ""]);
    expect(stdout).toMatch(expected);
  });

  it("has right types", async () => {
    const config = join(directory, "tsconfig.json");
    const compilerOptions = { noEmit: true, rootDir: ROOT };
    writeFileSync(
      config,
      JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions, include: ["unpack.ts"] }),
    );
    const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    expect(await startCommand(process.execPath, [tsc, "-p", config]).ended).toMatchObject({
      code: 0,
      stdout: "",
    });
  });
});
