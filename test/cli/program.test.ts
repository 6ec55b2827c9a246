import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { ROOT } from "../support/cli-process.ts";
import { runInside } from "../support/run-program.ts";

const COMMANDS = ["serve", "emulator", "explain", "check-config", "list", "get", "cancel", "wait", "watch"];
const VERSION = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;

describe.each([[], ...COMMANDS.map((command) => [command])])("lro-gateway %s", (...command) => {
  const args = command.filter((word) => word !== undefined);

  it("prints its help on stdout", async () => {
    const { code, stdout, stderr } = await runInside([...args, "--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Usage: lro-gateway /);
  });

  it("prints the version on stdout", async () => {
    expect(await runInside([...args, "--version"])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
  });
});

it("lists every command and every exit code in its help and in docs/cli.md", async () => {
  const { stdout } = await runInside(["--help"]);
  const page = readFileSync(join(ROOT, "docs", "cli.md"), "utf8");
  for (const command of COMMANDS) {
    expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(page).toMatch(new RegExp(`^## .*\\b${command}\\b`, "m"));
  }
  for (const code of Object.values(EXIT)) {
    expect(stdout).toMatch(new RegExp(`^  ${code}  `, "m"));
    expect(page).toMatch(new RegExp(`^\\| ${code} \\|`, "m"));
  }
});

it.each([
  [["srve"], "unknown command 'srve'\n(Did you mean serve?)"],
  [["serve", "--lsten", "x"], "unknown option '--lsten'\n(Did you mean --listen?)"],
  [["serve", "--listen"], "option '--listen <HOST:PORT>' argument missing"],
  [["get"], "missing required argument 'name'"],
  [["get", "a", "b"], "too many arguments for 'get'. Expected 1 argument but got 2: a, b."],
  [["list", "p", "--output", "xml"], "argument 'xml' is invalid. Allowed choices are table, json."],
  [["emulator", "--listen", "8090"], '--listen: "8090" is not host:port, for example 127.0.0.1:8090'],
  [["list", "p", "--limit", "all"], '--limit: "all" is not a whole number above 0'],
  [["get", "n", "--timeout", "soon"], '--timeout: "soon" is not a duration, for example 500ms or 30s'],
  [["wait", "n", "--timeout", "0"], '--timeout: "0" is not a duration, for example 500ms or 30s'],
  [["watch", "p/operations/1", "--filter", "x"], "--filter: is for the operations of a dataset"],
  [["get", "n", "--address", "x y"], '--address: "x y" is neither host:port nor a URL'],
  [["get", "n", "--address", "http://h/path"], '--address: "http://h/path" is neither host:port nor a URL'],
  [["explain", "gte", "n"], 'there is no method "gte" (did you mean get?); allowed: ListOperations,'],
])("refuses %j with 2 and says what is wrong", async (args, text) => {
  const { code, stdout, stderr } = await runInside(args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(`lro-gateway: ${text.startsWith("argument") ? "option" : text}`);
  expect(stderr).toContain(text);
});

it("prints its help on stderr, with 2, when there is no command", async () => {
  const { code, stdout, stderr } = await runInside([]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^Usage: lro-gateway /);
});
