import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliProcess, ROOT, runCli, startCli, startServe } from "../support/cli-process.ts";
import { runInside } from "../support/run-program.ts";

const DEMO = "projects/demo/locations/us-central1/datasets/demo";
const run = promisify(execFile);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-serve-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The answer of a unary call over Connect, as JSON. */
async function call(
  address: string,
  method: string,
  message: object,
): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`http://${address}/google.longrunning.Operations/${method}`, {
    method: "POST",
    // Too short for a retry, which comes after a second at the earliest.
    headers: { "content-type": "application/json", "connect-timeout-ms": "900" },
    body: JSON.stringify(message),
  });
  return { status: response.status, json: await response.json() };
}

async function stop(running: CliProcess): Promise<void> {
  running.child.kill("SIGTERM");
  expect(await running.ended).toMatchObject({ code: 0, signal: null });
}

describe("serve without an endpoint", () => {
  let gateway: CliProcess & { readonly address: string };
  beforeAll(async () => {
    gateway = await startServe();
    await gateway.matches(/bin\/lro-gateway list .*\n/);
  });
  afterAll(() => stop(gateway));

  it("says loudly that it runs on the emulator, and in one line where it listens", () => {
    expect(gateway.stdout()).toContain("EMBEDDED EMULATOR");
    expect(gateway.stdout().match(/listening on/g)).toHaveLength(1);
    expect(gateway.stdout()).toMatch(/^listening on 127\.0\.0\.1:\d+$/m);
  });

  it("prints lines that work when they are pasted", async () => {
    const lines = gateway
      .stdout()
      .split("\n")
      .filter((line) => line.startsWith("  "))
      .map((line) => line.trim());
    expect(lines.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "curl -s",
      "npx buf",
      "bin/lro-gateway list",
    ]);
    const env = {
      ...process.env,
      PATH: `${join(process.execPath, "..")}${delimiter}${process.env["PATH"]}`,
    };
    for (const line of lines) {
      const { stdout } = await run("sh", ["-c", line], { cwd: ROOT, env });
      expect(stdout).toContain(`${DEMO}/operations/`);
    }
  });

  it("lists, cancels, and reads an operation until it has ended with code 1", async () => {
    const { json } = await call(gateway.address, "ListOperations", { name: DEMO, filter: "done = false" });
    const { operations } = json as { operations: { name: string; done?: boolean }[] };
    const name = operations.find(({ done }) => !done)?.name;
    expect((await call(gateway.address, "CancelOperation", { name })).json).toEqual({});
    let operation: { done?: boolean; error?: { code: number } } = {};
    while (!operation.done) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      operation = (await call(gateway.address, "GetOperation", { name })).json as typeof operation;
    }
    expect(operation.error?.code).toBe(1);
  });

  it("writes nothing to stdout but what is to be read there", () => {
    expect(gateway.stdout()).not.toContain('"severity"');
  });
});

describe("serve with an endpoint that cannot be used", () => {
  it("starts without an emulator when nothing listens there, and calls get UNAVAILABLE", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const gateway = await startServe([
      "--upstream-endpoint",
      `http://127.0.0.1:${port}`,
      "--upstream-credentials",
      "none",
    ]);
    expect(gateway.stdout()).toBe(`listening on ${gateway.address}\n`);
    const name = `${DEMO}/operations/1`;
    expect(await call(gateway.address, "GetOperation", { name })).toMatchObject({
      status: 503,
      json: { code: "unavailable", message: expect.stringContaining("upstream") as string },
    });
    await stop(gateway);
  });

  it("starts with a broken credentials file, tells each caller that the gateway is at fault, and lives on", async () => {
    const file = join(directory, "credentials.json");
    writeFileSync(file, '{"type": "service_account", "private_key": "secret-of-the-key"');
    const gateway = await startServe(["--upstream-endpoint", "http://127.0.0.1:9"], {
      env: { GOOGLE_APPLICATION_CREDENTIALS: file },
    });
    for (const attempt of [1, 2]) {
      const { json } = await call(gateway.address, "GetOperation", { name: `${DEMO}/operations/${attempt}` });
      expect(json).toMatchObject({ code: "internal" });
      expect(JSON.stringify(json)).toContain("CREDENTIALS_MISCONFIGURED");
      expect(JSON.stringify(json)).not.toContain("secret-of-the-key");
    }
    await stop(gateway);
    expect((await gateway.ended).stderr).not.toContain("secret-of-the-key");
  });
});

describe("serve that cannot start", () => {
  it("says what to do when the port is in use, with exit code 3", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const args = ["--listen", `127.0.0.1:${port}`];
    const ended = await Promise.all([runCli(["serve", ...args]), runCli(["emulator", ...args])]);
    other.close();
    for (const { code, stdout, stderr } of ended)
      expect([code, stdout, stderr]).toEqual([
        3,
        "",
        `lro-gateway: cannot listen on 127.0.0.1:${port}: another process listens there; stop it, or choose another address with --listen HOST:PORT (port 0 takes a free one)\n`,
      ]);
  });

  it("says what to do about an address that this machine does not have, with exit code 3", async () => {
    // From the block for documentation, RFC 5737: nobody's address.
    const args = ["serve", "--listen", "192.0.2.1:0", "--allow-unauthenticated"];
    const { code, stderr } = await runCli(args);
    expect([code, stderr]).toEqual([
      3,
      "lro-gateway: cannot listen on 192.0.2.1:0: no network interface of this machine has this address; choose one that it has, e.g. 127.0.0.1\n",
    ]);
  });

  it("leaves a file alone that stands where its socket should be, and says what is wrong with a path, with exit code 3", async () => {
    const file = join(directory, "precious.txt");
    writeFileSync(file, "data");
    const taken = await runCli(["serve", "--listen", `unix:${file}`]);
    expect([taken.code, taken.stderr]).toEqual([
      3,
      `lro-gateway: cannot listen on unix:${file}: the path exists and is not a socket; choose another with --listen unix:/PATH\n`,
    ]);
    expect(readFileSync(file, "utf8")).toBe("data");
    const missing = join(directory, "missing", "gateway.sock");
    const lost = await runCli(["serve", "--listen", `unix:${missing}`]);
    expect([lost.code, lost.stderr]).toEqual([
      3,
      `lro-gateway: cannot listen on unix:${missing}: its directory does not exist, or this user may not write there; choose another path\n`,
    ]);
  });

  it("names every mistake of the configuration, with exit code 2, and starts nothing", async () => {
    const file = join(directory, "gateway.yaml");
    writeFileSync(file, "listen: 0.0.0.0:8080\nupstream:\n  endpont: https://x\n  credentials: adcc\n");
    const { code, stdout, stderr } = await runCli(["serve", "--config", file], {
      env: { LRO_GATEWAY_LOG_LEVEL: "loud" },
    });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr.replaceAll(`${directory}/`, "")).toMatchInlineSnapshot(`
      "lro-gateway: the configuration has 4 mistakes:
        gateway.yaml:3: upstream has no key "endpont" (did you mean endpoint?); allowed: endpoint, api_version, credentials, rules, scope, quota_project, universe_domain, mtls_endpoint, client_certificate, client_key, ca, http1, connections, connect_timeout, headers_timeout, body_timeout, request_timeout, max_response_bytes
        gateway.yaml:4: upstream.credentials: "adcc" is not one of adc, caller, none; did you mean adc?
        LRO_GATEWAY_LOG_LEVEL: log.level: "loud" is not one of debug, info, warn, error, silent
        gateway.yaml:1: listen: other machines can reach 0.0.0.0:8080, and callers are not authenticated; listen on 127.0.0.1, or set allow_unauthenticated: true if something in front authenticates callers
      "
    `);
  });

  it("refuses an address that others can reach, unread configuration and wrong rules, with exit code 2", async () => {
    const rules = join(directory, "rules.yaml");
    writeFileSync(
      rules,
      "http:\n  rules:\n    - selector: google.longrunning.Operations.GetOperation\n      gte: /v1/{name=**}\n",
    );
    const [open, missing, wrong] = await Promise.all([
      runInside(["serve", "--listen", "0.0.0.0:0"]),
      runInside(["serve", "--config", join(directory, "missing.yaml")]),
      runInside(["serve", "--upstream-rules", rules]),
    ]);
    expect([open.code, missing.code, wrong.code]).toEqual([2, 2, 2]);
    expect(open.stderr).toContain("set allow_unauthenticated: true");
    expect(missing.stderr).toContain(
      "missing.yaml: cannot read the configuration file: there is no such file",
    );
    expect(wrong.stderr).toContain(`  ${rules}:4: http.rules[0]`);
  });
});

describe("signals", () => {
  it("end serve with 0 when the whole process group gets SIGINT, as from a terminal", async () => {
    const gateway = await startServe([], { group: true });
    process.kill(-(gateway.child.pid ?? 0), "SIGINT");
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
  });

  it("that reach npm alone end the gateway under npm start, too, with 0", async () => {
    const npm = spawn("npm", ["start", "--", "--listen", "127.0.0.1:0"], { cwd: ROOT });
    let output = "";
    await new Promise<void>((resolve) =>
      npm.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (output.includes("listening on ")) resolve();
      }),
    );
    npm.kill("SIGTERM");
    // The pipes close when the last process that holds them has ended: the gateway, not only npm.
    expect(await new Promise((resolve) => npm.on("close", resolve))).toBe(0);
  });

  it("end the emulator with 0", async () => {
    const emulator = startCli(["emulator", "--listen", "127.0.0.1:0"]);
    const [, address] = await emulator.matches(/emulator listening on (\S+)\n/);
    const list = await fetch(`http://${address}/v1/${DEMO}/operations`);
    expect(await list.json()).toHaveProperty("operations");
    await stop(emulator);
  });
});
