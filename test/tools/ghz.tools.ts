import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CANCEL, DATASET, GET, LIST, run, startWorld, WATCH, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const CALLS = 400;

/** How many calls ended with which status, and with which errors. */
async function ghz(method: string, request: object, ...flags: string[]): Promise<unknown> {
  const load = ["-n", String(CALLS), "-c", "20", "--connections", "4"];
  const data = ["--call", method, "-d", JSON.stringify(request)];
  const { stdout } = await run("ghz", "--insecure", "-O", "json", ...load, ...flags, ...data, world.address);
  const report = JSON.parse(stdout) as Record<string, unknown>;
  return { statuses: report["statusCodeDistribution"], errors: report["errorDistribution"] };
}

const ALL_OK = { statuses: { OK: CALLS }, errors: {} };

describe("ghz, which finds the protos by reflection", () => {
  test("has no error in gets, lists and cancels", async () => {
    const name = world.create({ durationMs: 600_000, cancelDelayMs: 600_000 });
    expect(await ghz(GET, { name })).toEqual(ALL_OK);
    expect(await ghz(LIST, { name: DATASET, pageSize: 5 })).toEqual(ALL_OK);
    expect(await ghz(CANCEL, { name })).toEqual(ALL_OK);
  });

  test("has no error with gzip in both directions", async () => {
    const name = world.create({ durationMs: 600_000 });
    expect(await ghz(GET, { name }, "-e")).toEqual(ALL_OK);
  });

  test("has no error in streams that end with the operation", async () => {
    const name = world.create({ durationMs: 2_000 });
    expect(await ghz(WATCH, { name })).toEqual(ALL_OK);
  });

  test("counts every refusal by its code", async () => {
    const { statuses } = (await ghz(GET, { name: `${DATASET}/operations/1` })) as { statuses: object };
    expect(statuses).toEqual({ NotFound: CALLS });
  });
});
