import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { LogLevel } from "../../src/config/config.ts";
import { createLog, type Log } from "../../src/observe/log.ts";

/** What `use` writes to a log of this level, line by line. */
async function lines(level: LogLevel, use: (log: Log) => void): Promise<Record<string, unknown>[]> {
  const directory = mkdtempSync(join(tmpdir(), "lro-log-"));
  const path = join(directory, "log");
  const fd = openSync(path, "w");
  try {
    const log = createLog(level, fd);
    use(log);
    await log.flush();
    const text = readFileSync(path, "utf8");
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
}

it("writes one JSON object a line with severity, time and message", async () => {
  const [line] = await lines("info", (log) => log.warn("slow", { ms: 12, ok: false, code: "UNAVAILABLE" }));
  expect(line).toMatchObject({
    severity: "WARNING",
    message: "slow",
    ms: 12,
    ok: false,
    code: "UNAVAILABLE",
  });
  expect(Date.parse(String(line?.["time"]))).toBeGreaterThan(0);
});

it("leaves out what is less severe than the level, and everything at silent", async () => {
  const all = (log: Log) => {
    log.debug("d");
    log.info("i");
    log.warn("w");
    log.error("e");
  };
  expect((await lines("warn", all)).map((line) => line["message"])).toEqual(["w", "e"]);
  expect(await lines("silent", all)).toEqual([]);
  expect(createLog("warn", 2).enabled("info")).toBe(false);
});

it("writes errors with code and causes, and neither names nor tokens", async () => {
  const cause = Object.assign(new Error("Bearer ya29.secret refused"), { code: "ECONNRESET" });
  const error = new Error("GET projects/p/datasets/secret failed", { cause });
  const [line] = await lines("info", (log) => log.error("call failed", { error, name: "projects/p/secret" }));
  expect(line).toMatchObject({ error: { type: "Error", cause: { code: "ECONNRESET" } } });
  expect(JSON.stringify(line)).not.toContain("secret");
});

it("follows a ring of causes only so far", async () => {
  const error = new Error("ring");
  error.cause = error;
  expect(await lines("info", (log) => log.error("x", { error }))).toHaveLength(1);
});

it("lets the process end although nobody reads the log", async () => {
  const program = `
    import { createLog } from ${JSON.stringify(import.meta.resolve("../../src/observe/log.ts"))};
    // As in the gateway, where Node makes the pipe one that does not block.
    process.stderr.on("error", () => {});
    const log = createLog("info", 2);
    for (let line = 0; line < 900; line++) log.info("x".repeat(1_000));
    await log.flush();
    process.exit(3);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
  expect(await once(child, "exit")).toEqual([3, null]);
  clearTimeout(late);
});
