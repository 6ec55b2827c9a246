import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningEmulator, startEmulator } from "../../src/emulator/start-emulator.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { CA_CERTIFICATE, SERVER_CERTIFICATE, SERVER_KEY } from "../support/certificates.ts";
import { runInside } from "../support/run-program.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const NAME = "projects/p/locations/l/datasets/d/operations/1";
const PROTOCOLS = ["grpc", "grpc-web", "connect"];

let directory: string;
let emulator: RunningEmulator;
const gateways: RunningGateway[] = [];
/** Paths of files by name. */
const file = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "lro-connections-"));
  writeFileSync(file("ca.crt"), CA_CERTIFICATE);
  writeFileSync(file("server.crt"), SERVER_CERTIFICATE);
  writeFileSync(file("server.key"), SERVER_KEY);
  writeFileSync(file("token"), "secret-token\n");
  emulator = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
  emulator.emulator.createOperation({
    dataset: NAME.replace(/\/operations.*/, ""),
    id: "1",
    kind: "fhirStores.import",
    durationMs: null,
  });
});
afterAll(async () => {
  for (const gateway of gateways) await gateway.drain();
  await emulator.close();
  rmSync(directory, { recursive: true });
});

async function serve(flags: Record<string, string>): Promise<string> {
  const gateway = await startTestGateway(emulator.endpoint, flags);
  gateways.push(gateway);
  return gateway.address;
}

const get = (...flags: string[]) => runInside(["get", NAME, ...flags]);

it.each(PROTOCOLS)("the client calls a gateway on a Unix socket over %s", async (protocol) => {
  const address = await serve({ listen: `unix:${file(`${protocol}.sock`)}` });
  const { code, stdout, stderr } = await get("--address", address, "--protocol", protocol);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(NAME);
});

it("the client says that no gateway answers on a socket that is not there, or that nobody listens on", async () => {
  for (const [path, why] of [
    ["missing.sock", "there is no such socket"],
    ["token", "connection refused"],
  ] as const) {
    const { code, stderr } = await get("--address", `unix:${file(path)}`);
    expect([code, stderr]).toEqual([
      4,
      expect.stringContaining(`no gateway answers at unix:${file(path)}: ${why};`),
    ]);
  }
});

describe("TLS", () => {
  let address: string;
  let port: string;
  beforeAll(async () => {
    const tls = { "tls.certificate": file("server.crt"), "tls.key": file("server.key") };
    port = (await serve(tls)).split(":").at(-1) ?? "";
    address = `https://localhost:${port}`;
  });

  it.each(PROTOCOLS)("is spoken with a gateway whose authority --ca names, over %s", async (protocol) => {
    const flags = ["--address", address, "--ca", file("ca.crt"), "--protocol", protocol];
    expect(await get(...flags)).toMatchObject({ code: 0, stderr: "" });
    const variable = await runInside(["get", NAME, "--address", address], { LRO_GATEWAY_CA: file("ca.crt") });
    expect(variable.code).toBe(0);
  });

  it.each(PROTOCOLS)("that cannot be had ends with 4 and what to do, over %s", async (protocol) => {
    const ask = (...flags: string[]) => get("--protocol", protocol, ...flags);
    const untrusted = await ask("--address", address);
    expect([untrusted.code, untrusted.stdout, untrusted.stderr]).toEqual([
      4,
      "",
      `lro-gateway: no TLS with ${address}: its certificate is of an authority that is not trusted, or the chain to it is missing; give that authority with --ca FILE\n`,
    ]);
    const named = `https://127.0.0.2:${port}`;
    await serve({
      listen: `127.0.0.2:${port}`,
      "tls.certificate": file("server.crt"),
      "tls.key": file("server.key"),
    });
    const misnamed = await ask("--address", named, "--ca", file("ca.crt"));
    await gateways.pop()?.drain();
    expect([misnamed.code, misnamed.stderr]).toEqual([
      4,
      `lro-gateway: no TLS with ${named}: its certificate is for another name; call it by one that it has\n`,
    ]);
    const plain = await serve({});
    const clear = await ask("--address", `https://${plain}`);
    expect([clear.code, clear.stderr]).toEqual([
      4,
      `lro-gateway: no gateway answers at https://${plain}: the connection was broken off; if it speaks no TLS, call it as http://…\n`,
    ]);
    const required = await serve({
      "tls.certificate": file("server.crt"),
      "tls.key": file("server.key"),
      "tls.required": "true",
    });
    const readable = await ask("--address", required);
    expect([readable.code, readable.stderr]).toEqual([
      4,
      `lro-gateway: no gateway answers at http://${required}: the connection was broken off; if it speaks TLS only, call it as https://…\n`,
    ]);
    const endpoint = emulator.endpoint.replace("http:", "https:");
    const foreign = await ask("--address", endpoint);
    expect([foreign.code, foreign.stderr]).toEqual([
      4,
      `lro-gateway: no TLS with ${endpoint}: what listens there does not speak TLS; call it as http://…\n`,
    ]);
  });

  it("is not used in clear text, so --ca is refused there, and a file without certificates anywhere", async () => {
    const clear = await get("--address", "127.0.0.1:1", "--ca", file("ca.crt"));
    expect([clear.code, clear.stderr]).toEqual([
      2,
      expect.stringContaining("--ca: http://127.0.0.1:1 is called"),
    ]);
    for (const name of ["token", "server.key", "missing"]) {
      const bad = await get("--address", address, "--ca", file(name));
      expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining("lro-gateway: --ca: ")]);
      expect(bad.stderr).not.toContain("secret");
    }
  });
});

describe("a token", () => {
  const token = () => ["--token-file", file("token")];

  it.each(["http://gateway.example:80", "gateway.example:80", "http://192.0.2.1", "[2001:db8::1]:80"])(
    "is not sent in clear text to %s",
    async (address) => {
      const { code, stdout, stderr } = await get("--address", address, ...token());
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(
        /^lro-gateway: --token-file: the token would travel readably to http:\/\/\S+, which is called in clear text; give https:/,
      );
      expect(stderr).not.toContain("secret-token");
    },
  );

  it("is not sent there either when variables name file and address", async () => {
    const env = { LRO_GATEWAY_ADDRESS: "http://gateway.example", LRO_GATEWAY_TOKEN_FILE: file("token") };
    expect(await runInside(["get", NAME], env)).toMatchObject({ code: 2 });
  });

  it("is sent within the machine, and over TLS", async () => {
    const here = await serve({});
    expect(await get("--address", here, ...token())).toMatchObject({ code: 0 });
    const tls = { "tls.certificate": file("server.crt"), "tls.key": file("server.key") };
    const port = (await serve(tls)).split(":").at(-1);
    const secure = ["--address", `https://localhost:${port}`, "--ca", file("ca.crt")];
    expect(await get(...secure, ...token())).toMatchObject({ code: 0 });
  });
});
