import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { Code, type ConnectError } from "@connectrpc/connect";
import { afterAll, expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { UpstreamConfig } from "../../src/config/config.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { openUpstream } from "../../src/upstream/open-upstream.ts";
import { healthcareBindings } from "../support/bindings.ts";
import { cancelled } from "../support/cancelled.ts";
import {
  CA_CERTIFICATE,
  CLIENT_CERTIFICATE,
  CLIENT_KEY,
  OTHER_CERTIFICATE,
  OTHER_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from "../support/certificates.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { CredentialEnvironment } from "../support/credential-environment.ts";
import { FastClock } from "../support/fast-clock.ts";
import { FaultServer } from "../support/fault-server.ts";
import { OPERATION, open } from "../support/fault-upstream.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { OpenCall } from "../support/open-call.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

const directory = mkdtempSync(join(tmpdir(), "lro-gateway-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const ca = file("ca.pem", CA_CERTIFICATE);
const clientCertificate = file("client.pem", CLIENT_CERTIFICATE);
const clientKey = file("client.key", CLIENT_KEY);
const SERVER = { cert: SERVER_CERTIFICATE, key: SERVER_KEY };

const script = (_: unknown, reply: { json(status: number, body: unknown): void }) =>
  reply.json(200, { name: OPERATION });

/** The problems of a configuration, `path: message` each. */
function problems(config: Partial<UpstreamConfig>): string[] {
  const upstream = openUpstream(
    {
      endpoint: "https://healthcare.googleapis.com",
      apiVersion: "v1beta1",
      credentials: "adc",
      rules: undefined,
      ...config,
      ...(config.endpoint === undefined && { endpoint: "https://healthcare.googleapis.com" }),
    } as UpstreamConfig & { endpoint: string },
    { transcoder: healthcareBindings(), clock: systemClock, random: Math.random, version: "9.9.9" },
  );
  return "problems" in upstream ? upstream.problems.map(({ path, message }) => `${path}: ${message}`) : [];
}

const failure = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => expect.unreachable("the call succeeded"),
    (error) => error,
  );

async function get(config: Partial<UpstreamConfig> & { endpoint: string }): Promise<ConnectError | string> {
  // Three seconds of retries in a quarter of the time.
  const upstream = open(config, new FastClock(4));
  try {
    return (await upstream.api.get(OPERATION, new OpenCall())).toMessage().name;
  } catch (error) {
    return error as ConnectError;
  } finally {
    await upstream.close();
  }
}

test("connects to nothing before the first call", async () => {
  await using server = await FaultServer.start(script);
  const upstream = open({ endpoint: server.origin });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([upstream.origin, server.connections]).toEqual([server.origin, 0]);
  await upstream.close();
});

test("asks for no token before somebody wants one", async () => {
  using environment = new CredentialEnvironment();
  await using metadata = await FaultServer.start((_, reply) =>
    reply.json(200, { access_token: "t", expires_in: 3600 }, { "metadata-flavor": "Google" }),
  );
  environment.useMetadataServer(metadata.origin);
  const upstream = open({ endpoint: "https://healthcare.googleapis.com", credentials: "adc" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(metadata.requests).toEqual([]);
  await upstream.firstToken;
  expect(metadata.requests).toHaveLength(1);
  await upstream.close();
});

test("speaks TLS and checks the server's certificate", async () => {
  await using server = await FaultServer.start(script, SERVER);
  expect(await get({ endpoint: server.origin, ca })).toBe(OPERATION);
  await using stranger = await FaultServer.start(script, { cert: TEST_CERTIFICATE, key: TEST_KEY });
  await using otherHost = await FaultServer.start(script, { cert: OTHER_CERTIFICATE, key: OTHER_KEY });
  for (const endpoint of [stranger.origin, otherHost.origin]) {
    const error = await get({ endpoint, ca });
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect((error as ConnectError).findDetails(ErrorInfoSchema)[0]?.reason).toBe("UPSTREAM_TLS_FAILED");
  }
  expect([stranger.requests, otherHost.requests]).toEqual([[], []]);
});

test("does not try a refused certificate again", async () => {
  await using server = await FaultServer.start(script, { cert: OTHER_CERTIFICATE, key: OTHER_KEY });
  // Time stands still: a retry would never come.
  const upstream = open({ endpoint: server.origin, ca }, new ManualClock());
  const error = await failure(upstream.api.get(OPERATION, new OpenCall()));
  expect(error.findDetails(RetryInfoSchema), "and asks nobody to").toEqual([]);
  expect(server.requests).toEqual([]);
  await upstream.close();
});

test("shows its client certificate to a server that asks", async () => {
  await using server = await FaultServer.start(
    (_, reply) => {
      const peer = reply.socket instanceof TLSSocket && reply.socket.getPeerX509Certificate();
      reply.json(200, { name: `${peer ? peer.subject : "nobody"}/operations/1` });
    },
    { ...SERVER, ca: CA_CERTIFICATE, requestCert: true, rejectUnauthorized: true },
  );
  expect(await get({ endpoint: server.origin, ca, clientCertificate, clientKey })).toBe(
    `${new X509Certificate(CLIENT_CERTIFICATE).subject}/operations/1`,
  );
  expect(await get({ endpoint: server.origin, ca })).toMatchObject({ code: Code.Unavailable });
});

test("goes through the proxy of the environment, TLS to the upstream inside", async () => {
  await using server = await FaultServer.start(script, SERVER);
  await using proxy = await startConnectProxy(server.port);
  const endpoint = "https://healthcare.googleapis.com";
  const config = { endpoint, ca, proxy: { httpsProxy: proxy.url.replace("//", "//user:pass@") } };
  expect(await get(config)).toBe(OPERATION);
  expect(proxy.seen).toEqual(["CONNECT healthcare.googleapis.com:443"]);
  expect(proxy.authorizations).toEqual([`Basic ${Buffer.from("user:pass").toString("base64")}`]);
  expect(server.requests[0]!.headers).toMatchObject({ host: "healthcare.googleapis.com" });
  expect(Object.keys(server.requests[0]!.headers)).not.toContain("proxy-authorization");
});

test("goes to the mTLS host with a client certificate, through the proxy too", async () => {
  await using server = await FaultServer.start(script, {
    ...SERVER,
    ca: CA_CERTIFICATE,
    requestCert: true,
    rejectUnauthorized: true,
  });
  await using proxy = await startConnectProxy(server.port);
  const endpoint = "https://healthcare.googleapis.com";
  const config = { endpoint, ca, clientCertificate, clientKey, proxy: { httpsProxy: proxy.url } };
  expect(await get(config)).toBe(OPERATION);
  expect(proxy.seen).toEqual(["CONNECT healthcare.mtls.googleapis.com:443"]);
});

test.each(["localhost,127.0.0.1", "*", ".example, 127.0.0.1:443,127.0.0.1"])(
  "goes past the proxy to a host that NO_PROXY names (%s)",
  async (noProxy) => {
    await using server = await FaultServer.start(script, SERVER);
    await using proxy = await startConnectProxy(server.port);
    expect(await get({ endpoint: server.origin, ca, proxy: { httpsProxy: proxy.url, noProxy } })).toBe(
      OPERATION,
    );
    expect(proxy.seen).toEqual([]);
  },
);

test("sends requests in clear text to the HTTP proxy as whole URLs", async () => {
  await using proxy = await startConnectProxy(1);
  const endpoint = "http://emulator.example:8080";
  const upstream = open({ endpoint, proxy: { httpProxy: proxy.url } });
  await cancelled(upstream.api, OPERATION, new OpenCall());
  expect(proxy.seen).toEqual([`POST ${endpoint}/v1beta1/${OPERATION}:cancel`]);
  await upstream.close();
});

test("keeps a proxy's refusal of a request in clear text from its caller, and goes on", async () => {
  await using proxy = await startConnectProxy(1, 407);
  const upstream = open({
    endpoint: "http://emulator.example",
    connections: 1,
    proxy: { httpProxy: proxy.url },
  });
  for (let n = 0; n < 3; n++) {
    const error = await failure(cancelled(upstream.api, OPERATION, new OpenCall({ retry: false })));
    expect(error.code).toBe(Code.Unavailable);
  }
  expect([proxy.seen.length, upstream.load()]).toEqual([3, 0]);
  await upstream.close();
});

test("counts a proxy that refuses as no connection, nothing sent", async () => {
  await using server = await FaultServer.start(script, SERVER);
  for (const status of [403, 407, 502]) {
    await using proxy = await startConnectProxy(server.port, status);
    const config = { endpoint: server.origin, ca, proxy: { httpsProxy: proxy.url } };
    const error = await get(config);
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect((error as ConnectError).findDetails(ErrorInfoSchema)[0]?.reason).toBe("UPSTREAM_UNREACHABLE");
  }
  expect(server.connections).toBe(0);
});

test("reads no proxy from the environment by itself", async () => {
  await using server = await FaultServer.start(script, SERVER);
  await using proxy = await startConnectProxy(server.port);
  const before = process.env["HTTPS_PROXY"];
  process.env["HTTPS_PROXY"] = proxy.url;
  try {
    expect(await get({ endpoint: server.origin, ca })).toBe(OPERATION);
    const other = { httpProxy: "http://127.0.0.1:1", noProxy: "127.0.0.1" };
    expect(await get({ endpoint: server.origin, ca, proxy: other })).toBe(OPERATION);
  } finally {
    if (before === undefined) delete process.env["HTTPS_PROXY"];
    else process.env["HTTPS_PROXY"] = before;
  }
  expect(proxy.seen).toEqual([]);
});

test("says of every setting that cannot be used what is wrong with it", () => {
  const rubbish = file("rubbish.pem", "not a certificate");
  const otherKey = file("other.key", OTHER_KEY);
  expect(problems({})).toEqual([]);
  expect(problems({ endpoint: "https://healthcare.googleapis.com/v1" })[0]).toMatch(/^upstream.endpoint: /);
  expect(problems({ universeDomain: "other.example" })[0]).toMatch(/^upstream.universe_domain: /);
  expect(problems({ ca: "/no/such.pem" })).toEqual(["upstream.ca: /no/such.pem cannot be read (ENOENT)"]);
  expect(problems({ ca: rubbish })[0]).toMatch(/^upstream.ca: does not hold certificates/);
  expect(problems({ clientCertificate })[0]).toMatch(/^upstream.client_key: is missing/);
  expect(problems({ clientKey })[0]).toMatch(/^upstream.client_certificate: is missing/);
  for (const clientKey of [rubbish, otherKey])
    expect(problems({ clientCertificate, clientKey })[0]).toMatch(
      /^upstream.client_certificate: does not hold a certificate and its key/,
    );
  for (const httpsProxy of ["proxy.example:3128", "socks5://proxy.example", "://"])
    expect(problems({ proxy: { httpsProxy } })[0]).toMatch(/^HTTPS_PROXY: is not an http or https URL/);
  expect(problems({ ca: rubbish, proxy: { httpProxy: "x" } })).toHaveLength(2);
});
