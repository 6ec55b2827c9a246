import { expect, it } from "vitest";
import { commandLine } from "../../src/cli/command-line.ts";
import { LAUNCHER, runCli, startCommand } from "../support/cli-process.ts";

/** A command whose stdin is a pipe from another. */
function behind(source: string, ...args: readonly string[]) {
  const line = commandLine([process.execPath, LAUNCHER, ...args]);
  return startCommand("sh", ["-c", `${source} | ${line}`]).ended;
}

it("a configuration comes through a pipe, too, up to a limit", async () => {
  const args = ["check-config", "--config", "/dev/stdin"];
  const good = await behind("echo 'log: {level: warn}'", ...args);
  expect([good.code, good.stderr]).toEqual([0, ""]);
  expect(good.stdout).toMatch(/^log\.level +warn +\/dev\/stdin:1$/m);
  const endless = await behind("yes '#'", ...args);
  expect([endless.code, endless.stderr]).toEqual([2, expect.stringContaining("more than 1048576 bytes")]);
});

it("a pipe is refused where several processes would each read it", async () => {
  const { code, stderr } = await behind("echo 'workers: 2'", "serve", "--config", "/dev/stdin");
  expect([code, stderr]).toEqual([
    2,
    "lro-gateway: --config: /dev/stdin is not a regular file; each worker reads it, so it has to be one, or workers: 1\n",
  ]);
});

it("a token file without an end is refused", async () => {
  const { code, stderr } = await runCli(["get", "n", "--token-file", "/dev/zero"]);
  expect([code, stderr]).toEqual([
    2,
    "lro-gateway: --token-file: cannot read /dev/zero: it has more than 1048576 bytes, which no such file needs\n",
  ]);
});
