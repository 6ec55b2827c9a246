import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startCommand } from "../support/cli-process.ts";
import { nodeProgram } from "./programs.ts";
import { CALL_SCENARIOS, COLLECTION_SCENARIOS, WATCH_SCENARIOS } from "./scenarios.ts";
import { countPrograms, readSnippets, startRestless, writeSnippets } from "./snippets.ts";

/** The programs of docs/waiting.md for Node.js and browsers, as they stand. Those in other languages: npm run snippets. */

vi.setConfig({ testTimeout: 60_000 });

const DATASET = "projects/p/locations/l/datasets/snippets";

let running: Awaited<ReturnType<typeof startRestless>>;
let directory: string;

beforeAll(async () => {
  directory = writeSnippets("node");
  running = await startRestless();
});
afterAll(() => running.close());

it("finds every program of the document", () => {
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
