import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCommand } from "../support/cli-process.ts";
import { programsOf } from "./programs.ts";
import { CALL_SCENARIOS, WATCH_SCENARIOS } from "./scenarios.ts";
import { startRestless } from "./snippets.ts";

/** The programs of docs/waiting.md in Python and Go, which scripts/snippets.sh has written and built. */

const DATASET = "projects/p/locations/l/datasets/languages";
let running: Awaited<ReturnType<typeof startRestless>>;
beforeAll(async () => {
  running = await startRestless();
});
afterAll(() => running.close());

it("has a language to try", () => {
  expect(programsOf("watch")).not.toEqual([]);
});

describe.concurrent.each([
  ...programsOf("wait").map((program) => ({ program, end: "SUCCEEDED" })),
  ...programsOf("watch").map((program) => ({ program, end: "SUCCEEDED" })),
  ...programsOf("cancel").map((program) => ({ program, end: "CANCELLED" })),
])("$program.title", ({ program, end }) => {
  it(`runs and ends with ${end}`, async () => {
    const durationMs = end === "CANCELLED" ? null : 4_000;
    const name = running.emulator.emulator.createOperation({ dataset: DATASET, durationMs });
    const args = [...program.args, running.gateway.address, name];
    const { code, stdout, stderr } = await startCommand(program.command, args).ended;
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(end);
  });

  if (program.title.startsWith("watch"))
    it.each(Object.entries(WATCH_SCENARIOS))("%s", (_, scenario) => scenario(program));
  else it.each(Object.entries(CALL_SCENARIOS))("%s", (_, scenario) => scenario(program, end));
});
