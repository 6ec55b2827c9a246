import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { OperationSpec } from "../../src/emulator/operation-spec.ts";
import { LAUNCHER, startCli, startCommand } from "../support/cli-process.ts";
import { type GatewayOnEmulator, startGatewayOnEmulator } from "../support/gateway-on-emulator.ts";
import { startSwitchingProxy } from "../support/switching-proxy.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/** `wait`, `watch` and `cancel --wait` as people run them: processes, a terminal, Ctrl-C, a gateway that restarts. */

// Processes start slowly on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const DATASET = "projects/p/locations/l/datasets/processes";

let world: GatewayOnEmulator;

beforeAll(async () => {
  world = await startGatewayOnEmulator({ "waiting.heartbeat": "200ms" });
});
afterAll(() => world.close());

function start(spec: OperationSpec = {}): string {
  return world.emulator.emulator.createOperation({ dataset: DATASET, durationMs: null, ...spec });
}

/** How often the emulator was asked to cancel an operation. */
async function cancelsOf(name: string): Promise<number> {
  const answer = await fetch(`${world.emulator.endpoint}/emulator/v1/requests?method=cancel&limit=1000`);
  const { requests } = (await answer.json()) as { requests: { target: string }[] };
  return requests.filter(({ target }) => target.includes(name)).length;
}

describe.concurrent("Ctrl-C", () => {
  it("leaves the operation alone, says so, and exits 130", async () => {
    const name = start();
    const watch = startCli(["watch", name, "--address", world.gateway.address]);
    await watch.matches(/RUNNING/);
    watch.child.kill("SIGINT");
    const { code, stderr } = await watch.ended;
    expect([code, stderr]).toEqual([
      130,
      `Stopped watching. The operation is left alone; go on with: bin/lro-gateway watch ${name} --address ${world.gateway.address}\n`,
    ]);
    expect(await cancelsOf(name)).toBe(0);
    expect(world.emulator.emulator.operation(name)?.["done"]).not.toBe(true);
    // What it says can be pasted.
    world.emulator.emulator.finishOperation(name);
    const [, line = ""] = /go on with: (.*)\n/.exec(stderr) ?? [];
    const pasted = startCommand("sh", ["-c", line]);
    expect(await pasted.ended).toMatchObject({ code: 0, stdout: expect.stringContaining("SUCCEEDED") });
  });

  it("does not take a cancel back, and says that", async () => {
    const name = start({ onCancel: "complete" });
    const cancel = startCli(["cancel", "--wait", name, "--address", world.gateway.address]);
    while ((await cancelsOf(name)) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    cancel.child.kill("SIGINT");
    const { code, stdout, stderr } = await cancel.ended;
    expect([code, stdout]).toEqual([130, ""]);
    expect(stderr).toMatch(/^Stopped waiting\. The cancel may have been sent and is not taken back; /);
  });
});

describe.concurrent("a reader that has seen enough", () => {
  it.each(["an operation", "a dataset"])("ends the watch of %s", async (what) => {
    const name = start();
    const target = what === "a dataset" ? DATASET : name;
    const watch = startCli(["watch", target, "--output", "json", "--address", world.gateway.address]);
    await watch.matches(/RUNNING/);
    watch.child.stdout?.destroy();
    expect(await watch.ended).toMatchObject({ code: 141, stderr: "" });
  });
});

describe.runIf(existsSync("/dev/full")).concurrent("a disk that is full", () => {
  it.each(["get", "watch"])("makes %s fail and is named", async (command) => {
    const line = `"$0" "$1" ${command} ${start()} --output json --address ${world.gateway.address} > /dev/full`;
    const { code, stderr } = await startCommand("sh", ["-c", line, process.execPath, LAUNCHER]).ended;
    expect([code, stderr]).toEqual([
      1,
      "lro-gateway: the output could not be written: ENOSPC: no space left on device, write\n",
    ]);
  });
});

describe.concurrent("a connection that is cut again and again", () => {
  it.each(["grpc", "grpc-web", "connect"])("does not keep watch from the end over %s", async (protocol) => {
    const proxy = await startSwitchingProxy(world.gateway.address);
    const name = start();
    const watch = startCli(["watch", name, "--address", proxy.address, "--protocol", protocol]);
    await watch.matches(/RUNNING/);
    for (let cuts = 1; cuts <= 3; cuts++) {
      proxy.cut();
      while (proxy.connections <= cuts) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    world.emulator.emulator.finishOperation(name, "error");
    const { code, stdout, stderr } = await watch.ended;
    await proxy.close();
    expect(code).toBe(5);
    expect(stdout.match(/FAILED/g)).toHaveLength(1);
    expect(stderr).toMatch(/^The watch was cut \(.*\); attaching again in \d\.\d s\.$/m);
  });
});

describe.concurrent("a gateway that restarts", () => {
  it("keeps neither wait nor cancel --wait from the end", async () => {
    const waited = start();
    const cancelled = start({ cancelDelayMs: 600_000 });
    const first = await startTestGateway(world.emulator.endpoint);
    const wait = startCli(["watch", waited, "--address", first.address]);
    const cancel = startCli(["cancel", "--wait", cancelled, "--address", first.address]);
    await wait.matches(/RUNNING/);
    while ((await cancelsOf(cancelled)) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await first.drain();
    const second = await startTestGateway(world.emulator.endpoint, { listen: first.address });
    world.emulator.emulator.finishOperation(waited);
    world.emulator.emulator.finishOperation(cancelled, "cancelled");
    const [waitEnd, cancelEnd] = await Promise.all([wait.ended, cancel.ended]);
    await second.drain();
    expect(waitEnd.code).toBe(0);
    expect(waitEnd.stdout).toContain("SUCCEEDED");
    expect(waitEnd.stderr).toMatch(/^The watch was cut \(UNAVAILABLE: .*\); attaching again in /);
    expect(cancelEnd).toMatchObject({ code: 0, stdout: expect.stringMatching(/^CANCELLED: /) });
  });
});

// `script` is part of every Linux; elsewhere it takes other arguments.
describe.runIf(process.platform === "linux")("a terminal", () => {
  it.concurrent("shows a bar, then the end, and the exit code", async () => {
    const name = start({ ageMs: 6_000, units: 100 });
    const command = `"${process.execPath}" "${LAUNCHER}" watch ${name} --address ${world.gateway.address}`;
    const drawn = startCommand("script", ["-qec", command, "/dev/null"]);
    await drawn.matches(/RUNNING/);
    world.emulator.emulator.finishOperation(name);
    const { code, stdout } = await drawn.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/RUNNING {4}\[[#.]+\] \d+ of 100/);
    expect(stdout).toMatch(/SUCCEEDED +\d+ of \d+, 100 %\r?\n/);
    expect(stdout.lastIndexOf("\u001b[?25h")).toBeGreaterThan(stdout.lastIndexOf("\u001b[?25l"));
  });
});
