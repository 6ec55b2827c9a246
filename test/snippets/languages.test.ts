import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startCommand } from "../support/cli-process.ts";
import { startRestless } from "./snippets.ts";

/** The programs of docs/waiting.md in Python and Go, which scripts/snippets.sh has written and built. */

const DATASET = "projects/p/locations/l/datasets/languages";
const { SNIPPETS_PYTHON: python, SNIPPETS_GO: goBinaries, SNIPPETS_DIRECTORY: directory = "" } = process.env;

const PROGRAMS: [title: string, command: string, args: string[]][] = [];
for (const file of ["wait.py", "watch.py"])
  if (python) PROGRAMS.push([file, python, [join(directory, file)]]);
for (const file of ["wait", "watch"])
  if (goBinaries) PROGRAMS.push([`${file}/main.go`, join(goBinaries, file), []]);

let running: Awaited<ReturnType<typeof startRestless>>;
beforeAll(async () => {
  running = await startRestless();
});
afterAll(() => running.close());

it("has a language to try", () => {
  expect(PROGRAMS).not.toEqual([]);
});

it.each(PROGRAMS)("%s runs and ends with SUCCEEDED", async (_title, command, args) => {
  const name = running.emulator.emulator.createOperation({ dataset: DATASET, durationMs: 4_000 });
  const { code, stdout, stderr } = await startCommand(command, [...args, running.gateway.address, name])
    .ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe("SUCCEEDED");
});
