import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { linesToPaste } from "../../src/cli/lines-to-paste.ts";
import { CA_CERTIFICATE, SERVER_CERTIFICATE, SERVER_KEY } from "../support/certificates.ts";
import { ROOT, startCli, startCommand } from "../support/cli-process.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

const DEMO = "projects/demo/locations/us-central1/datasets/demo";

let directory: string;
const file = (name: string) => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro paste-"));
  writeFileSync(file("self.crt"), TEST_CERTIFICATE);
  writeFileSync(file("self.key"), TEST_KEY);
  writeFileSync(file("signed.crt"), SERVER_CERTIFICATE + CA_CERTIFICATE);
  writeFileSync(file("signed.key"), SERVER_KEY);
  // What npx does here, without half a second of npm; that npx itself runs the line is seen in serve.test.ts.
  mkdirSync(file("bin"));
  writeFileSync(file("bin/npx"), `#!/bin/sh\nexec "${join(ROOT, "node_modules/.bin")}/$@"\n`, {
    mode: 0o755,
  });
});
afterAll(() => rmSync(directory, { recursive: true }));

const tlsFlags = (name: string) => [
  ...["--tls-certificate", file(`${name}.crt`), "--tls-key", file(`${name}.key`), "--tls-required"],
];

/** The lines that `serve` prints, each run by a shell in the repository. */
async function pasteAll(...flags: string[]): Promise<string[]> {
  const gateway = startCli(["serve", ...flags]);
  await gateway.matches(/listening on .*\n\n[\s\S]+\n\n$/);
  const lines = gateway
    .stdout()
    .split("\n")
    .filter((line) => line.startsWith("  "))
    .map((line) => line.trim());
  const env = {
    ...process.env,
    PATH: [file("bin"), join(process.execPath, ".."), process.env["PATH"]].join(delimiter),
  };
  for (const line of lines) {
    const { code, stdout, stderr } = await startCommand("sh", ["-c", line], { cwd: ROOT }, env).ended;
    expect([line, code, stderr]).toEqual([line, 0, ""]);
    expect(stdout).toContain(`${DEMO}/operations/`);
  }
  gateway.child.kill("SIGTERM");
  await gateway.ended;
  return lines.map((line) => line.split(" ").slice(0, 2).join(" "));
}

const ALL = ["curl -s", "npx buf", "bin/lro-gateway list"];

it.each([
  ["a Unix socket", () => ["--listen", `unix:${file("a.sock")}`], ALL],
  [
    "TLS alone, its certificate signed by itself",
    () => ["--listen", "127.0.0.1:0", ...tlsFlags("self")],
    ALL,
  ],
  [
    "TLS alone, its authority unknown here",
    () => ["--listen", "127.0.0.1:0", ...tlsFlags("signed")],
    ALL.slice(0, 2),
  ],
  ["TLS on a Unix socket", () => ["--listen", `unix:${file("b.sock")}`, ...tlsFlags("self")], ["curl -s"]],
  ["all addresses", () => ["--listen", "0.0.0.0:0", "--allow-unauthenticated"], ALL],
] as const)("serve on %s prints lines that work when they are pasted", async (_, flags, expected) => {
  expect(await pasteAll(...flags())).toEqual(expected);
});

it("emulator on all addresses prints lines that can be pasted, and says why it has no Unix socket", async () => {
  const emulator = startCli(["emulator", "--listen", "0.0.0.0:0"]);
  const [, port] = await emulator.matches(/listening on 0\.0\.0\.0:(\d+)\n[\s\S]*serve .*\n/);
  expect(emulator.stdout()).toContain(`  curl -s http://127.0.0.1:${port}/v1beta1/`);
  expect(emulator.stdout()).toContain(`serve --upstream-endpoint http://127.0.0.1:${port} `);
  emulator.child.kill("SIGTERM");
  await emulator.ended;
  const { code, stderr } = await startCli(["emulator", "--listen", "unix:/tmp/x"]).ended;
  expect([code, stderr]).toEqual([2, expect.stringContaining("the emulator has no Unix socket, because")]);
});

it("lines are for the loopback address of the kind that is listened on, whatever its spelling", () => {
  const lines = (address: string) => linesToPaste({ address, tls: { required: false }, program: "p" });
  expect(lines("[::]:80")).toContain("http://[::1]:80/");
  expect(lines("[0:0::0]:80")).toContain("http://[::1]:80/");
  expect(lines("0.0.0.0:80")).toContain("http://127.0.0.1:80/");
  expect(lines("10.0.0.1:80")).toContain("http://10.0.0.1:80/");
});
