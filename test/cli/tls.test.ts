import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { SERVER_CERTIFICATE, SERVER_KEY } from "../support/certificates.ts";
import { startServe } from "../support/cli-process.ts";
import { runInside } from "../support/run-program.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

const DEMO = "projects/demo/locations/us-central1/datasets/demo";

let directory: string;
let certificate: string;
let key: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-tls-"));
  certificate = join(directory, "server.crt");
  key = join(directory, "server.key");
  writeFileSync(certificate, TEST_CERTIFICATE);
  writeFileSync(key, TEST_KEY);
});
afterAll(() => rmSync(directory, { recursive: true }));

const trust = { ca: TEST_CERTIFICATE, servername: "localhost" };

/** How many operations a gRPC caller lists, and the ALPN protocol of its connection. */
async function list(origin: string): Promise<number> {
  const transport = createGrpcTransport({
    baseUrl: origin,
    nodeOptions: origin.startsWith("https") ? trust : {},
  });
  const { operations } = await createClient(Operations, transport).listOperations({
    name: DEMO,
    pageSize: 3,
  });
  return operations.length;
}

/** The status of /livez over HTTP/1.1 and TLS. */
function live(address: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(`https://${address}/livez`, { ...trust, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", reject);
  });
}

async function alpn(address: string): Promise<string | undefined> {
  const session = connectHttp2(`https://${address}`, trust);
  await new Promise((resolve, reject) => session.once("connect", resolve).once("error", reject));
  const { alpnProtocol } = session;
  session.close();
  return alpnProtocol;
}

it("serves TLS with both versions of HTTP, and clear text beside it, in every worker", async () => {
  const file = join(directory, "gateway.yaml");
  writeFileSync(file, "workers: 2\ntls:\n  certificate: server.crt\n  key: server.key\n");
  const gateway = await startServe(["--config", file]);
  // Each connection goes to the next worker.
  for (const _worker of [1, 2]) {
    expect(await list(`https://${gateway.address}`)).toBe(3);
    expect(await list(`http://${gateway.address}`)).toBe(3);
    expect(await alpn(gateway.address)).toBe("h2");
    expect(await live(gateway.address)).toBe(200);
    expect((await fetch(`http://${gateway.address}/livez`)).status).toBe(200);
  }
  gateway.child.kill("SIGTERM");
  expect(await gateway.ended).toMatchObject({ code: 0 });
});

it("closes clear text once TLS is required", async () => {
  const gateway = await startServe(["--tls-certificate", certificate, "--tls-key", key, "--tls-required"]);
  expect(await list(`https://${gateway.address}`)).toBe(3);
  await expect(list(`http://${gateway.address}`)).rejects.toThrow();
  await expect(fetch(`http://${gateway.address}/livez`)).rejects.toThrow();
  expect(await live(gateway.address)).toBe(200);
  gateway.child.kill("SIGTERM");
  expect(await gateway.ended).toMatchObject({ code: 0 });
});

it("refuses files that TLS cannot use before anything starts, with setting, file and what is allowed", async () => {
  const text = join(directory, "hello.pem");
  writeFileSync(text, "hello\n");
  for (const command of ["serve", "check-config"]) {
    const bad = await runInside([command, "--tls-certificate", certificate, "--tls-key", text]);
    expect(bad).toMatchObject({
      code: 2,
      stdout: "",
      stderr: `lro-gateway: the configuration has a mistake:\n  --tls-key: tls.key: ${text} does not hold a private key in PEM form\n`,
    });
    const exchanged = await runInside([command, "--tls-certificate", key, "--tls-key", certificate]);
    expect(exchanged.stderr).toContain(
      `  --tls-certificate: tls.certificate: ${key} does not begin with a certificate in PEM form\n`,
    );
  }
});

it("accepts the same files in check-config", async () => {
  const { code } = await runInside(["check-config", "--tls-certificate", certificate, "--tls-key", key]);
  expect(code).toBe(0);
});

it.each([1, 2])(
  "serves a renewed certificate after SIGHUP with %i processes, and ends no connection for it",
  async (workers) => {
    const [crt, pem] = [join(directory, `renewed-${workers}.crt`), join(directory, `renewed-${workers}.key`)];
    const write = (certificate: string, privateKey: string) => {
      writeFileSync(crt, certificate);
      writeFileSync(pem, privateKey);
    };
    write(TEST_CERTIFICATE, TEST_KEY);
    const flags = ["--tls-certificate", crt, "--tls-key", pem, "--workers", String(workers)];
    const gateway = await startServe(flags);
    const session = connectHttp2(`https://${gateway.address}`, trust);
    await new Promise((resolve, reject) => session.once("connect", resolve).once("error", reject));
    // Of each process: connections go to them in turn.
    const shown = async () => {
      const certificates = new Set<string>();
      for (let n = 0; n < workers; n++) certificates.add(await certificateOf(gateway.address));
      return [...certificates];
    };
    const told = async (line: RegExp) => {
      while ((gateway.stderr().match(line) ?? []).length < workers)
        await new Promise((resolve) => setTimeout(resolve, 20));
    };
    expect(await shown()).toEqual([new X509Certificate(TEST_CERTIFICATE).serialNumber]);

    write(SERVER_CERTIFICATE, TEST_KEY);
    gateway.child.kill("SIGHUP");
    await told(/"severity":"ERROR".*the TLS key pair cannot be used; the one before it stays/g);
    expect(await shown()).toEqual([new X509Certificate(TEST_CERTIFICATE).serialNumber]);

    write(SERVER_CERTIFICATE, SERVER_KEY);
    gateway.child.kill("SIGHUP");
    await told(/new connections get the renewed TLS certificate/g);
    expect(await shown()).toEqual([new X509Certificate(SERVER_CERTIFICATE).serialNumber]);

    const stream = session.request({ ":path": "/livez" });
    const status = await new Promise((resolve, reject) =>
      stream.once("response", (headers) => resolve(headers[":status"])).once("error", reject),
    );
    expect(status).toBe(200);
    session.destroy();
    gateway.child.kill("SIGTERM");
    expect(await gateway.ended).toMatchObject({ code: 0 });
  },
);

it.each([1, 2])("drains on SIGHUP without a certificate, with %i processes", async (workers) => {
  const gateway = await startServe(["--workers", String(workers)], { group: true });
  // As when a terminal closes: every process of the group gets it.
  process.kill(-(gateway.child.pid ?? 0), "SIGHUP");
  const { code, signal, stderr } = await gateway.ended;
  expect([code, signal]).toEqual([0, null]);
  expect(stderr).toMatch(/"message":"drained"/);
});

/** The serial number of the certificate that a new connection is shown. */
function certificateOf(address: string): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? "none");
      socket.destroy();
    }).on("error", reject);
  });
}

it("serves TLS by ALPN and clear text with several workers, whose connections come from another process", async () => {
  const gateway = await startServe([
    ...["--workers", "2", "--tls-certificate", certificate, "--tls-key", key],
  ]);
  // Two of each, so that each worker has one.
  for (let round = 0; round < 2; round++) {
    expect(await list(`https://${gateway.address}`)).toBe(3);
    expect(await list(`http://${gateway.address}`)).toBe(3);
    expect(await live(gateway.address)).toBe(200);
  }
  gateway.child.kill("SIGTERM");
  expect((await gateway.ended).code).toBe(0);
});
