import { createServer } from "node:http";
import { createServer as createNetServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { startServe } from "../support/cli-process.ts";
import { OPERATION, type SlowUpstream, startSlowUpstream } from "../support/slow-upstream.ts";
import { startTestGateway } from "../support/test-gateway.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

let upstream: SlowUpstream;
beforeAll(async () => {
  upstream = await startSlowUpstream(1);
});
afterAll(() => upstream.close());

const TRACEPARENT = `00-${"a".repeat(32)}-${"b".repeat(16)}-00`;

const metricsOf = async (address: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`http://${address}/metrics`, { headers });
  return { status: response.status, text: await response.text() };
};

/** The access line of a call that a gateway with this upstream could not answer. */
const failedCallBefore = async (endpoint: string) => {
  const gateway = await startServe(["--upstream-endpoint", endpoint, "--upstream-credentials", "none"]);
  const client = createClient(Operations, createGrpcTransport({ baseUrl: `http://${gateway.address}` }));
  await client.getOperation({ name: OPERATION }, { timeoutMs: 30_000 }).catch(() => undefined);
  gateway.child.kill("SIGTERM");
  const { stderr } = await gateway.ended;
  const lines = stderr.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line)).find(({ message }) => message === "rpc");
};

/** Value of the sample whose line begins so. */
const sampleOf = (text: string, sample: string): number | undefined => {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
};

describe("a gateway that is called", () => {
  it("logs each call on stderr, without names", async () => {
    const gateway = await startServe([
      ...["--upstream-endpoint", upstream.endpoint, "--upstream-credentials", "none"],
    ]);
    const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
    const client = createClient(Operations, transport);
    await client.getOperation(
      { name: OPERATION },
      { headers: { "x-request-id": "of-the-test", traceparent: TRACEPARENT } },
    );
    await client.getOperation({ name: "no name" }).catch(() => undefined);
    await createClient(Health, transport).check({});
    await fetch(`http://${gateway.address}/${OPERATION}`);
    gateway.child.kill("SIGTERM");
    const { stderr } = await gateway.ended;
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ message }) => message === "rpc");
    expect(lines).toMatchObject([
      {
        code: "OK",
        requestId: "of-the-test",
        trace_id: "a".repeat(32),
        upstreamStatus: 200,
        attempts: 1,
        protocol: "grpc",
      },
      { code: "INVALID_ARGUMENT", reason: "NAME_INVALID" },
      { method: "_OTHER", httpStatus: 404 },
    ]);
    expect(stderr).not.toContain("projects/");
    expect(stderr).not.toContain("no name");
  });

  it("logs why the upstream could not be asked: the code of the system or of TLS, and how often it was tried", async () => {
    const stranger = createTlsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY }, () => {});
    const breaks = createNetServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    const closed = createNetServer();
    const ports: number[] = [];
    for (const server of [stranger, breaks, closed]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      ports.push((server.address() as { port: number }).port);
    }
    closed.close();
    const [tls, reset, refused] = await Promise.all(
      [`https://127.0.0.1:${ports[0]}`, `http://127.0.0.1:${ports[1]}`, `http://127.0.0.1:${ports[2]}`].map(
        failedCallBefore,
      ),
    );
    expect(tls).toMatchObject({
      reason: "UPSTREAM_TLS_FAILED",
      cause: "DEPTH_ZERO_SELF_SIGNED_CERT",
      attempts: 1,
    });
    expect(reset).toMatchObject({ reason: "UPSTREAM_RESET", cause: "ECONNRESET", attempts: 3 });
    expect(refused).toMatchObject({ reason: "UPSTREAM_UNREACHABLE", cause: "ECONNREFUSED", attempts: 3 });
    stranger.close();
    breaks.close();
  });

  it("logs what libraries warn of, and each failure to get a token, as one line of JSON without stacks", async () => {
    const metadata = createNetServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
    const { port } = metadata.address() as { port: number };
    const gateway = await startServe(["--upstream-endpoint", "https://healthcare.googleapis.com"], {
      // Tests of credentials that ran in this process before have switched the probe off.
      env: {
        HOME: "/nonexistent",
        GCE_METADATA_HOST: `127.0.0.1:${port}`,
        METADATA_SERVER_DETECTION: "ping-only",
      },
    });
    await expect.poll(() => gateway.stderr()).toContain("MetadataLookupWarning");
    await expect.poll(() => gateway.stderr()).toContain("no token");
    gateway.child.kill("SIGTERM");
    const { stderr } = await gateway.ended;
    metadata.close();
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.find(({ warning }) => warning === "MetadataLookupWarning")).toMatchObject({
      severity: "WARNING",
      detail: expect.stringContaining("ECONNRESET"),
    });
    expect(lines.find(({ message }) => message === "no token for the upstream")).toMatchObject({
      severity: "WARNING",
      kind: "rejected",
      detail: expect.stringContaining("the credentials could not be loaded"),
    });
    expect(stderr).not.toMatch(/\\n +at /);
  });

  it("counts calls and requests, and shows it on /metrics", async () => {
    const gateway = await startTestGateway(upstream.endpoint);
    const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
    const client = createClient(Operations, transport);
    for (let i = 0; i < 3; i++) await client.getOperation({ name: OPERATION });
    await client.getOperation({ name: "no name" }).catch(() => undefined);
    await client.deleteOperation({ name: OPERATION }).catch(() => undefined);
    await createClient(Health, transport).check({});
    await fetch(`http://${gateway.address}/nothing`);
    const { status, text } = await metricsOf(gateway.address);
    expect(status).toBe(200);
    const head = await fetch(`http://${gateway.address}/metrics`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const method = 'rpc_method="google.longrunning.Operations/GetOperation"';
    const ok = `{rpc_system_name="grpc",${method},rpc_status_code="OK"}`;
    expect(sampleOf(text, `rpc_server_call_duration_seconds_count${ok}`)).toBe(3);
    expect(sampleOf(text, `rpc_server_call_duration_seconds_sum${ok}`)).toBeGreaterThan(0.003);
    // No error of the server's, so without error_type; the next two are one, and are none.
    const wrong = `{rpc_system_name="grpc",${method},rpc_status_code="INVALID_ARGUMENT"}`;
    expect(sampleOf(text, `rpc_server_call_duration_seconds_count${wrong}`)).toBe(1);
    const missing =
      '{rpc_system_name="grpc",rpc_method="google.longrunning.Operations/DeleteOperation",rpc_status_code="UNIMPLEMENTED",error_type="UNIMPLEMENTED"}';
    expect(sampleOf(text, `rpc_server_call_duration_seconds_count${missing}`)).toBe(1);
    const other = '{rpc_method="_OTHER",rpc_status_code="404"}';
    expect(sampleOf(text, `rpc_server_call_duration_seconds_count${other}`)).toBe(1);
    const request = '{http_request_method="GET",http_response_status_code="200"}';
    expect(sampleOf(text, `http_client_request_duration_seconds_count${request}`)).toBe(3);
    // Buckets are cumulative, and the last holds everything.
    const buckets = text
      .split("\n")
      .filter(
        (line) =>
          line.startsWith("rpc_server_call_duration_seconds_bucket") &&
          line.includes(',rpc_status_code="OK"'),
      )
      .map((line) => Number(line.split(" ").at(-1)));
    expect(buckets).toHaveLength(15);
    expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
    expect(buckets.at(-1)).toBe(3);
    expect(sampleOf(text, "lro_gateway_open_calls")).toBe(0);
    expect(sampleOf(text, "lro_gateway_watches")).toBe(0);
    expect(sampleOf(text, "lro_gateway_connections")).toBeGreaterThan(0);
    expect(text).toContain("nodejs_eventloop_lag");
    expect(text).not.toContain("grpc.health");
    expect(text).not.toContain("projects/");
    await gateway.drain();
  });

  it("keeps waits and streams, which may last an hour, out of the histogram of calls", async () => {
    const gateway = await startTestGateway(upstream.endpoint);
    const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
    await createClient(Operations, transport).waitOperation({ name: OPERATION, timeout: {} });
    const watcher = createClient(OperationWatcher, transport);
    const left = new AbortController();
    for await (const _ of watcher.watchOperation({ name: OPERATION }, { signal: left.signal })) {
      left.abort();
      break;
    }
    await watcher.cancelAndWait({ name: "no name" }).catch(() => undefined);
    const long = /^lro_gateway_long_call_duration_seconds_count\{.*rpc_method="[^"]*\/(\w+)"/gm;
    let text = "";
    const methods = async () => {
      ({ text } = await metricsOf(gateway.address));
      return [...text.matchAll(long)].map(([, method]) => method).sort();
    };
    // The end of the watch is under way to the gateway.
    await expect.poll(methods).toEqual(["CancelAndWait", "WaitOperation", "WatchOperation"]);
    expect(text).not.toMatch(/rpc_server_call_duration_seconds_count\{.*(?:Wait|Watch)/);
    const bounds = /^lro_gateway_long_call_duration_seconds_bucket\{le="([^"]+)".*WaitOperation/gm;
    expect([...text.matchAll(bounds)].map(([, le]) => le)).toEqual(
      "1 5 15 30 60 120 300 600 1200 1800 3600 +Inf".split(" "),
    );
    await gateway.drain();
  });

  // At once, since a gateway waits a second for kept connections before it closes them.
  it.concurrent.each([
    { "x-forwarded-for": "203.0.113.9" },
    // All that Envoy says of itself as a sidecar (use_remote_address: false), beside ids of its own.
    { "x-forwarded-proto": "http" },
    { "x-forwarded-host": "gateway.example" },
    { forwarded: "for=203.0.113.9" },
    { "x-real-ip": "203.0.113.9" },
    { via: "1.1 proxy" },
  ])(
    "shows /metrics to nobody who comes through a proxy that says %o, unless it is told to",
    async (headers) => {
      const closed = await startTestGateway(upstream.endpoint);
      const open = await startTestGateway(upstream.endpoint, { "metrics.expose": "all" });
      const off = await startTestGateway(upstream.endpoint, { "metrics.enabled": "false" });
      const refused = await metricsOf(closed.address, headers);
      expect(refused.status).toBe(403);
      expect(refused.text).toContain("metrics.expose: all");
      expect((await metricsOf(open.address, headers)).status).toBe(200);
      expect((await metricsOf(off.address)).status).toBe(404);
      await Promise.all([closed, open, off].map((gateway) => gateway.drain()));
    },
  );

  it("counts a request that had no answer by the kind of its failure", async () => {
    const server = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const gateway = await startTestGateway(`http://127.0.0.1:${port}`);
    const client = createClient(Operations, createGrpcTransport({ baseUrl: `http://${gateway.address}` }));
    await client.getOperation({ name: OPERATION }, { timeoutMs: 900 }).catch(() => undefined);
    const { text } = await metricsOf(gateway.address);
    expect(text).toMatch(
      /http_client_request_duration_seconds_count\{http_request_method="GET",error_type="[a-z-]+"\} [1-9]/,
    );
    await gateway.drain();
    server.close();
  });
});
