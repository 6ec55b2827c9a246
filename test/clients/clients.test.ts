import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningEmulator, startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { programsOf } from "./programs.ts";

/**
 * Google's own clients, unmodified, through a real gateway process on the emulator. scripts/clients.sh builds them and
 * says through the environment which ones there are.
 */
const CLIENTS = programsOf("clients");

let emulator: RunningEmulator;
let gateway: ChildProcess;
let address: string;

beforeAll(async () => {
  emulator = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
  gateway = spawn(
    "bin/lro-gateway",
    [
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--upstream-endpoint",
      emulator.endpoint,
      "--upstream-credentials",
      "none",
      "--log-level",
      "warn",
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  for await (const line of createInterface({ input: gateway.stdout! })) {
    const found = /listening on (\S+)/.exec(line);
    if (!found) continue;
    address = found[1]!;
    break;
  }
  gateway.stdout?.resume();
});

afterAll(async () => {
  const exit = once(gateway, "exit");
  gateway.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  await emulator.close();
});

/** What every client prints. Errors as code, reason and field violations, however its language spells them. */
interface Seen {
  list: string[];
  get: { name: string; done: boolean; metadataType: string };
  cancel: unknown;
  wait: unknown;
  cancelled: unknown;
  future: unknown;
  cancelFinished: unknown;
  unknown: unknown;
  badName: unknown;
  delete: unknown;
}

describe.each(CLIENTS)("Google's $language client", ({ language, command }) => {
  const parent = `projects/clients/locations/us-central1/datasets/${language}`;
  let seen: Seen;
  let names: string[];
  let running: string;

  beforeAll(async () => {
    emulator.emulator.createDataset(parent);
    const create = (spec: object) => emulator.emulator.createOperation({ dataset: parent, ...spec });
    running = create({ durationMs: 600_000, cancelDelayMs: 1_500 });
    const finishing = create({ durationMs: 4_000, kind: "dicomStores.studies.delete" });
    const finished = create({ durationMs: 1_000, ageMs: 5_000 });
    names = [
      running,
      finishing,
      finished,
      ...Array.from({ length: 9 }, () => create({ durationMs: 600_000 })),
    ];
    const [file, ...args] = [...command, address, parent, running, finishing, finished];
    const { stdout } = await promisify(execFile)(file!, args, { timeout: 110_000 });
    seen = JSON.parse(stdout);
  }, 120_000);

  test("lists every operation, over several pages", () => {
    expect(seen.list.toSorted()).toEqual(names.toSorted());
  });

  test("gets a running operation with its metadata", () => {
    expect(seen.get).toMatchObject({ name: running, done: false });
    expect(seen.get.metadataType).toMatch(/google\.cloud\.healthcare\.v1.*OperationMetadata$/);
  });

  test("cancels it, and learns of the end with code 1", () => {
    expect(seen.cancel).toBe("OK");
    if (language !== "node") expect(seen.wait).toMatchObject({ name: running, done: true, errorCode: 1 });
    expect(seen.cancelled).toMatchObject({ code: "CANCELLED" });
  });

  test("ends its polling helper when the operation ends well", () => {
    expect(seen.future).toBe("OK");
  });

  test("reads the code and the reason of each error", () => {
    expect(seen.cancelFinished).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "UPSTREAM_FAILED_PRECONDITION",
    });
    expect(seen.unknown).toMatchObject({ code: "NOT_FOUND" });
    expect(seen.badName).toMatchObject({ code: "INVALID_ARGUMENT", violations: ["name"] });
    expect(seen.delete).toMatchObject({ code: "UNIMPLEMENTED" });
  });
});
