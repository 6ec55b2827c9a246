import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LAUNCHER, ROOT, runCli, startServe } from "../support/cli-process.ts";

let directory: string;
/** Node.js arguments that make it claim to be an old one. */
let oldNode: string[];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-launcher-"));
  const disguise = join(directory, "old.cjs");
  writeFileSync(disguise, 'Object.defineProperty(process.versions, "node", { value: "20.20.2" });');
  oldNode = ["--require", disguise];
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("bin/lro-gateway", () => {
  it("runs through a symbolic link, from any directory", async () => {
    const link = join(directory, "lro");
    symlinkSync(LAUNCHER, link);
    const { code, stdout } = await runCli(["--version"], { launcher: link, cwd: "/" });
    expect([code, stdout]).toEqual([0, "0.1.0\n"]);
  });

  it("serves with a small young generation and collections on demand, in the process that was started", async () => {
    const gateway = await startServe();
    const commandLine = readFileSync(`/proc/${gateway.child.pid}/cmdline`, "utf8").split("\0");
    expect(commandLine).toEqual(expect.arrayContaining(["--max-semi-space-size=16", "--expose-gc"]));
    gateway.child.kill("SIGTERM");
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
  });

  it("leaves the size of the young generation to whoever has set it", async () => {
    const gateway = await startServe([], { nodeArgs: ["--max-semi-space-size=8"] });
    const commandLine = readFileSync(`/proc/${gateway.child.pid}/cmdline`, "utf8").split("\0");
    expect(commandLine.filter((argument) => argument.includes("semi-space"))).toEqual([
      "--max-semi-space-size=8",
    ]);
    gateway.child.kill("SIGTERM");
    await gateway.ended;
  });

  it("says in one line what is needed when its Node.js is too old and none was installed", async () => {
    cpSync(join(ROOT, "bin"), join(directory, "bin"), { recursive: true });
    const launcher = join(directory, "bin", "lro-gateway");
    const { code, stdout, stderr } = await runCli(["serve"], { launcher, nodeArgs: oldNode });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^lro-gateway: this is Node\.js 20\.20\.2, but 22\.19 or newer is needed; .*\n$/);
  });
});

const PINNED = join(ROOT, "node_modules", `node-linux-${arch()}`, "bin", "node");

// Elsewhere npm ci installs no Node.js, and there is nothing to hand over to.
describe.runIf(platform() === "linux" && existsSync(PINNED))("bin/lro-gateway on an old Node.js", () => {
  it("hands over to the Node.js that npm ci installed, with arguments, output and exit code", async () => {
    const { code, stdout, stderr } = await runCli(["get"], { nodeArgs: oldNode });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("missing required argument 'name'");
  });

  it("passes SIGTERM on, and waits until the gateway has drained", async () => {
    const gateway = await startServe([], { nodeArgs: oldNode });
    gateway.child.kill("SIGTERM");
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
    expect((await gateway.ended).stderr).toContain('"drained"');
  });

  it.each([1, 2])("leaves no gateway behind when it is killed, with %i processes", async (workers) => {
    const gateway = await startServe(["--workers", String(workers)], { nodeArgs: oldNode });
    gateway.child.kill("SIGKILL");
    // Only when the last process that has its output has ended.
    const { signal, stderr } = await gateway.ended;
    expect(signal).toBe("SIGKILL");
    expect(stderr).toContain('"drained"');
    await expect(fetch(`http://${gateway.address}/livez`)).rejects.toThrow();
  });

  it("takes Ctrl-C, which reaches both processes and is passed on besides, for one request to stop", async () => {
    const gateway = await startServe([], { nodeArgs: oldNode, group: true });
    process.kill(-(gateway.child.pid ?? 0), "SIGINT");
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
  });
});

describe("isBuilt()", () => {
  const { isBuilt, stampOf } = createRequire(import.meta.url)("../../bin/is-built.js") as {
    isBuilt(root: string): boolean;
    stampOf(root: string): string;
  };

  it("trusts dist/ only while the sources are those that it was built from, or are not there", () => {
    const root = join(directory, "project");
    for (const name of ["src/cli", "gen", "dist"]) mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, "package.json"), "{}");
    writeFileSync(join(root, "src/cli/a.ts"), "1");
    expect(isBuilt(root)).toBe(false);
    writeFileSync(join(root, "dist/stamp"), stampOf(root));
    expect(isBuilt(root)).toBe(true);
    writeFileSync(join(root, "src/cli/a.ts"), "22");
    expect(isBuilt(root)).toBe(false);
    writeFileSync(join(root, "dist/stamp"), stampOf(root));
    writeFileSync(join(root, "src/cli/b.ts"), "1");
    expect(isBuilt(root)).toBe(false);
    writeFileSync(join(root, "dist/stamp"), stampOf(root));
    expect(isBuilt(root)).toBe(true);
    rmSync(join(root, "src"), { recursive: true });
    expect(isBuilt(root)).toBe(true);
  });
});
