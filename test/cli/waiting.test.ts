import { PassThrough } from "node:stream";
import type { WriteStream } from "node:tty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OperationSpec } from "../../src/emulator/operation-spec.ts";
import type { Outcome } from "../../src/emulator/outcome.ts";
import { type GatewayOnEmulator, startGatewayOnEmulator } from "../support/gateway-on-emulator.ts";
import { runInside } from "../support/run-program.ts";
import { TimeUpOn } from "../support/time-up-on.ts";

const DATASET = "projects/p/locations/l/datasets/waiting";

let world: GatewayOnEmulator;

beforeAll(async () => {
  world = await startGatewayOnEmulator({ "waiting.heartbeat": "200ms" });
});
afterAll(() => world.close());

/** Creates an operation that goes on until something ends it, unless the spec says otherwise. */
function start(spec: OperationSpec = {}): string {
  return world.emulator.emulator.createOperation({ dataset: DATASET, durationMs: null, ...spec });
}

/** Runs a client command on the test's gateway. */
function client(...args: string[]) {
  return runInside([...args, "--address", world.gateway.address]);
}

/** The same on a terminal, with a time that is up as soon as the command has written something. */
function clientUntil(pattern: RegExp, terminal: FakeTerminal, ...args: string[]) {
  const time = new TimeUpOn(pattern, terminal.stream);
  return runInside([...args, "--address", world.gateway.address], {}, terminal.stream, time);
}

/** Runs a command that ends with an operation, which ends once the command has written something. */
function clientThatEnds(name: string, onceWritten: RegExp, outcome: Outcome | undefined, ...args: string[]) {
  const time = new TimeUpOn(/(?!)/).when(onceWritten, () =>
    world.emulator.emulator.finishOperation(name, outcome),
  );
  return runInside([...args, "--address", world.gateway.address], {}, undefined, time);
}

/** Resolves when the emulator has been asked to cancel the operation. */
async function cancelRequested(name: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${world.emulator.endpoint}/v1/${name}`);
    const { metadata } = (await answer.json()) as { metadata: { cancelRequested?: boolean } };
    if (metadata.cancelRequested) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const DONE = { durationMs: 1, ageMs: 10_000 } as const;

describe.concurrent.each(["grpc", "grpc-web", "connect"])("wait over %s", (protocol) => {
  it("waits until the operation is done, prints it, and exits 0", async () => {
    const name = start({ durationMs: 1_500 });
    const { code, stdout, stderr } = await client("wait", name, "--protocol", protocol);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^STATE +SUCCEEDED$/m);
  });
});

describe.concurrent.each(["wait", "watch"])("the exit code of %s", (command) => {
  it.each([
    ["SUCCEEDED", 0, { outcome: "success" }],
    ["FAILED", 5, { outcome: "error" }],
    ["CANCELLED", 6, { outcome: "cancelled" }],
    ["DONE_WITHOUT_RESULT", 9, { outcome: "nothing" }],
  ] as const)("tells %s by %d", async (state, expected, spec) => {
    const { code, stdout, stderr } = await client(command, start({ ...DONE, ...spec }));
    expect([code, stderr]).toEqual([expected, ""]);
    expect(stdout).toContain(state);
  });

  it("tells an operation that outlasts the timeout by 7, and how to go on", async () => {
    const name = start();
    const terminal = new FakeTerminal();
    const { code, stderr } = await clientUntil(/RUNNING/, terminal, command, name, "--timeout", "300ms");
    expect(code).toBe(7);
    expect(stderr).toBe(
      `The operation still runs after 300ms; go on with: lro-gateway ${command} ${name} --address ${world.gateway.address}\n`,
    );
  });

  it("tells an unknown operation by 8", async () => {
    const { code, stderr } = await client(command, `${DATASET}/operations/unknown`);
    expect(code).toBe(8);
    expect(stderr).toMatch(/^lro-gateway: NOT_FOUND: /);
  });

  it("tells by 4 that no state could be read in time", async () => {
    const name = start();
    const fault = world.emulator.emulator.addFault({ match: { name }, answer: { status: 503 } });
    const { code, stderr } = await client(command, name, "--timeout", "300ms");
    await fetch(`${world.emulator.endpoint}/emulator/v1/faults/${fault}`, { method: "DELETE" });
    expect([code, stderr]).toEqual([
      4,
      "lro-gateway: no state of the operation could be read within 300ms\n",
    ]);
  });

  it("tells by 4 that no gateway answers", async () => {
    const { code, stderr } = await runInside([command, start(), "--address", "127.0.0.1:1"]);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^lro-gateway: no gateway answers at /);
  });
});

describe.concurrent("watch", () => {
  it("writes a line for each state into a pipe", async () => {
    const name = start({ units: 500 });
    const outcome: Outcome = { type: "error", code: 8, message: "No\u001b room." };
    const { code, stdout } = await clientThatEnds(name, /RUNNING/, outcome, "watch", name);
    expect(code).toBe(5);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(2);
    for (const line of lines.slice(0, -1))
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}RUNNING {5}\d+ of 500/);
    expect(lines.at(-1)).toMatch(
      /^\S+Z {2}FAILED {6}\d+ of 500.* {2}RESOURCE_EXHAUSTED: No\u{fffd} room\.$/u,
    );
  });

  it("prints one JSON object for each message of the stream, heartbeats too", async () => {
    const name = start();
    const { stdout } = await clientThatEnds(name, /HEARTBEAT/, undefined, "watch", name, "--output", "json");
    const messages = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; state?: string });
    expect(new Set(messages.map(({ kind }) => kind))).toEqual(new Set(["STATE", "HEARTBEAT"]));
    expect(messages.filter(({ state }) => state === "SUCCEEDED")).toEqual([messages.at(-1)]);
  });

  it("shows what all operations of a dataset do, those of the filter only", async () => {
    const dataset = `${DATASET}-all`;
    const ends = start({ dataset, id: "ends" });
    start({ dataset, id: "other", kind: "dicomStores.export" });
    const filter = "metadata.apiMethodName:ImportResources";
    const { code, stdout, stderr } = await runInside(
      ["watch", dataset, "--filter", filter, "--timeout", "4s", "--address", world.gateway.address],
      {},
      undefined,
      new TimeUpOn(/SUCCEEDED/).when(/RUNNING/, () => world.emulator.emulator.finishOperation(ends)),
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`RUNNING +${ends} `));
    expect(stdout).toMatch(new RegExp(`SUCCEEDED +${ends} `));
    expect(stdout).not.toContain("other");
  });

  it("draws bars on a terminal, a line above them for each end, and gives the cursor back", async () => {
    const dataset = `${DATASET}-drawn`;
    start({ dataset, id: "goes-on", ageMs: 60_000 });
    const fails = start({ dataset, id: "fails", durationMs: 1_000, outcome: "error" });
    const terminal = new FakeTerminal();
    const { code, stdout } = await clientUntil(
      /FAILED(?:.|\n)*goes-on/,
      terminal,
      "watch",
      dataset,
      "--timeout",
      "3s",
    );
    expect([code, stdout]).toEqual([0, ""]);
    expect(terminal.text).toMatch(/RUNNING {4}\[#*\.+\] .* {2}goes-on/);
    expect(terminal.text).toMatch(
      new RegExp(`FAILED +${fails}  .*INTERNAL: Internal error encountered\\.\n`),
    );
    expect(terminal.text.lastIndexOf("\u001b[?25h")).toBeGreaterThan(
      terminal.text.lastIndexOf("\u001b[?25l"),
    );
  });
});

describe.concurrent("cancel --wait", () => {
  it.each([
    ["CANCELLED", 0, "cancelled"],
    ["COMPLETED", 10, "success"],
    ["FAILED", 5, "error"],
  ] as const)("tells %s by %d", async (outcome, expected, end) => {
    const name = start({ onCancel: "complete" });
    const told = client("cancel", "--wait", name);
    await cancelRequested(name);
    world.emulator.emulator.finishOperation(name, end);
    const { code, stdout, stderr } = await told;
    expect([code, stderr]).toEqual([expected, ""]);
    expect(stdout).toMatch(new RegExp(`^${outcome}: `));
  });

  it("tells ALREADY_DONE by 11", async () => {
    const { code, stdout, stderr } = await client("cancel", "--wait", start(DONE));
    expect([code, stderr]).toEqual([11, ""]);
    expect(stdout).toMatch(/^ALREADY_DONE: /);
  });

  it("tells an operation that runs on by 7, and an unknown one by 8", async () => {
    const name = start({ onCancel: "complete" });
    const running = await client("cancel", "--wait", name, "--timeout", "4s");
    expect([running.code, running.stderr]).toEqual([
      7,
      `The operation still runs after 4s; go on with: lro-gateway wait ${name} --address ${world.gateway.address}\n`,
    ]);
    expect(running.stdout).toMatch(/^STILL_RUNNING: /);
    const unknown = await client("cancel", "--wait", `${DATASET}/operations/unknown`);
    expect([unknown.code, unknown.stdout]).toEqual([8, "NOT_FOUND: there is no such operation\n"]);
  });

  it("tells by 4 at once that no gateway answers", async () => {
    const { code, stderr } = await runInside(["cancel", "--wait", start(), "--address", "127.0.0.1:1"]);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^lro-gateway: no gateway answers at /);
  });

  it("prints the CancelAndWaitResponse as JSON", async () => {
    const { code, stdout } = await client(
      "cancel",
      "--wait",
      start({ cancelDelayMs: 100 }),
      "--output",
      "json",
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: "CANCELLED",
      operation: { done: true, error: { code: 1 } },
    });
  });
});

/** Takes what is drawn, like a terminal of 24 rows. */
class FakeTerminal {
  text = "";
  readonly stream: WriteStream;

  constructor() {
    const stream = new PassThrough().setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
    });
    // Of a terminal's stream only these are used.
    this.stream = Object.assign(stream, { isTTY: true, columns: 100, rows: 24 }) as unknown as WriteStream;
  }
}
