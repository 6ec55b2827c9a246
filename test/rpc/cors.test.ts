import { globSync, readFileSync } from "node:fs";
import { request as http1Request } from "node:http";
import { connect } from "node:http2";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { RunningGateway } from "../../src/gateway.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createCorsPolicy } from "../../src/rpc/cors/policy.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { HTTP1_NAMES, HTTP2_NAMES } from "../support/carriers.ts";
import { echo, echoRegistry, echoService, LOOK, REPEAT, SAY, streamOf } from "../support/echo-service.ts";
import { envelope } from "../support/encode-request.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const PAGE = "https://console.example.com";
const DENIED = [
  "null",
  "https://evil.example",
  "http://console.example.com",
  "https://console.example.com:8443",
  "https://console.example.com.evil.example",
  "https://CONSOLE.example.com",
  "https://console.example.com, https://evil.example",
  "",
  "*",
];

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

type Send = (
  address: string,
  verb: string,
  path: string,
  headers: Record<string, string>,
  body?: Buffer,
) => Promise<Answer>;

const overHttp1: Send = (address, verb, path, headers, body) =>
  new Promise((resolve, reject) => {
    const [host, port] = address.split(":");
    const request = http1Request({ host, port, method: verb, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });

const overHttp2: Send = (address, verb, path, headers, body) =>
  new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    session.on("error", reject);
    const stream = session.request({ ":method": verb, ":path": path, ...headers }, { endStream: false });
    let status = 0;
    let received = {};
    const chunks: Buffer[] = [];
    stream.on("response", (block) => {
      status = block[":status"] ?? 0;
      received = block;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      session.close();
      resolve({ status, headers: received, body: Buffer.concat(chunks) });
    });
    stream.on("error", reject);
    stream.end(body);
  });

const json = Buffer.from('{"text":"hello"}');
const proto = Buffer.from([0x0a, 1, 0x61]);

/** Every way in which a page can call, with a good request of it. */
const CALLS = [
  ["Connect, JSON", SAY, "application/json", json],
  ["Connect, proto", SAY, "application/proto", proto],
  ["Connect, stream of JSON", REPEAT, "application/connect+json", envelope(0, json)],
  ["Connect, stream of proto", REPEAT, "application/connect+proto", envelope(0, proto)],
  ["gRPC-Web", SAY, "application/grpc-web+proto", envelope(0, proto)],
  ["gRPC-Web, stream", REPEAT, "application/grpc-web+proto", envelope(0, proto)],
  [
    "gRPC-Web text",
    SAY,
    "application/grpc-web-text",
    Buffer.from(envelope(0, proto).toString("base64"), "latin1"),
  ],
  [
    "gRPC-Web text, stream",
    REPEAT,
    "application/grpc-web-text",
    Buffer.from(envelope(0, proto).toString("base64"), "latin1"),
  ],
] as const;

describe.each([
  ...HTTP1_NAMES.map((http1) => [`${http1} HTTP/1.1`, overHttp1, { http1 }] as const),
  ...HTTP2_NAMES.map((http2) => [`${http2} HTTP/2`, overHttp2, { http2 }] as const),
])("CORS over %s", (_name, send, carriers) => {
  let listener: Listener;
  let ran = 0;
  beforeAll(async () => {
    const handle = <T>(value: T): T => {
      ran++;
      return value;
    };
    const service = echoService({
      say: (message) => handle(message),
      look: (message) => handle(message),
      repeat: () => handle(streamOf([echo({ text: "one" })])),
    });
    listener = await startListener(
      { listen: "127.0.0.1:0", ...carriers },
      createRouter([service], { registry: echoRegistry, cors: createCorsPolicy([PAGE], ["lro-example"]) }),
    );
  });
  afterEach(() => {
    ran = 0;
  });
  afterAll(() => listener.close());

  it.each(CALLS)("serves a listed page: %s", async (_call, path, contentType, body) => {
    const answer = await send(
      listener.address,
      "POST",
      path,
      { origin: PAGE, "content-type": contentType },
      body,
    );
    expect(answer.status).toBe(200);
    expect(ran).toBe(1);
    expect(answer.headers).toMatchObject({ "access-control-allow-origin": PAGE, vary: "Origin" });
    expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
    const exposed = String(answer.headers["access-control-expose-headers"]).split(", ");
    for (const name of [
      "grpc-status",
      "grpc-message",
      "grpc-status-details-bin",
      "grpc-retry-pushback-ms",
      "retry-after",
      "lro-example",
      "trailer-lro-example",
    ])
      expect(exposed).toContain(name);
  });

  it.each(CALLS)("lets a listed page ask before: %s", async (_call, path, contentType) => {
    const wanted = contentType.startsWith("application/grpc-web")
      ? "authorization,content-type,grpc-timeout,x-grpc-web,x-user-agent"
      : "authorization,connect-protocol-version,connect-timeout-ms,content-type,x-request-id,lro-max-staleness";
    const answer = await send(listener.address, "OPTIONS", path, {
      origin: PAGE,
      "access-control-request-method": "POST",
      "access-control-request-headers": wanted,
    });
    expect(answer.status).toBe(204);
    expect(answer.body).toHaveLength(0);
    expect(answer.headers["access-control-allow-origin"]).toBe(PAGE);
    expect(String(answer.headers["access-control-allow-methods"]).split(", ")).toEqual(["GET", "POST"]);
    const allowed = String(answer.headers["access-control-allow-headers"]).split(", ");
    for (const name of wanted.split(",")) expect(allowed).toContain(name);
    // What would be ignored is not let in: whose quota a call counts on is not the page's to say.
    for (const name of ["x-goog-user-project", "x-goog-request-params"]) expect(allowed).not.toContain(name);
    expect(answer.headers["access-control-max-age"]).toBe("7200");
    expect(answer.headers["vary"]).toContain("Access-Control-Request-Headers");
    expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
    expect(ran).toBe(0);
  });

  it.each(DENIED)("refuses the origin %j in every protocol, and runs nothing", async (origin) => {
    for (const [, path, contentType, body] of CALLS) {
      const headers = { origin, "content-type": contentType };
      const answer = await send(listener.address, "POST", path, headers, body);
      expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
      const text = contentType.includes("text")
        ? Buffer.from(answer.body.toString("latin1"), "base64").toString()
        : answer.body.toString();
      expect(text).toMatch(/permission_denied|grpc-status: 7/);
      expect(text).toContain("cors.allowed_origins");
    }
    const asked = { origin, "access-control-request-method": "POST" };
    const preflight = await send(listener.address, "OPTIONS", SAY, asked);
    expect(preflight.status).toBe(403);
    expect(preflight.headers).not.toHaveProperty("access-control-allow-origin");
    expect(ran).toBe(0);
  });

  it("lets a listed page read what is no answer of a call: 404, 405, 415", async () => {
    for (const [verb, path, contentType, status] of [
      ["POST", "/no.such.Service/Method", "application/json", 404],
      ["PUT", SAY, "application/json", 405],
      ["OPTIONS", SAY, "application/json", 405],
      ["POST", SAY, "text/plain", 415],
    ] as const) {
      const headers = { origin: PAGE, "content-type": contentType };
      const answer = await send(listener.address, verb, path, headers);
      expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([status, PAGE]);
    }
    expect(ran).toBe(0);
  });

  it("lets a listed page read an error of a call", async () => {
    const headers = { origin: PAGE, "content-type": "application/json" };
    const answer = await send(listener.address, "POST", SAY, headers, Buffer.from("{"));
    expect(answer.status).toBe(400);
    expect(answer.headers["access-control-allow-origin"]).toBe(PAGE);
  });

  it("serves a GET of a listed page, and tells caches of any GET that origins differ", async () => {
    const path = `${LOOK}?connect=v1&encoding=json&message=${encodeURIComponent('{"text":"a"}')}`;
    const ofPage = await send(listener.address, "GET", path, { origin: PAGE });
    expect([ofPage.status, ofPage.headers["access-control-allow-origin"]]).toEqual([200, PAGE]);
    const ofProgram = await send(listener.address, "GET", path, {});
    expect([ofProgram.status, ofProgram.headers["vary"]]).toEqual([200, "Origin"]);
    expect(ofProgram.headers).not.toHaveProperty("access-control-allow-origin");
  });

  it("adds nothing to the answers of programs, which send no origin", async () => {
    const answer = await send(listener.address, "POST", SAY, { "content-type": "application/json" }, json);
    expect(Object.keys(answer.headers).filter((name) => /^access-control|^vary$/.test(name))).toEqual([]);
  });

  // Forms and scripts without preflight: https://fetch.spec.whatwg.org/#cors-safelisted-request-header
  it.each([
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/plain; application/json",
    "",
  ])("runs nothing for what a page may send without asking: %j", async (contentType) => {
    const answer = await send(listener.address, "POST", SAY, { "content-type": contentType }, json);
    expect(answer.status).toBe(415);
    expect(ran).toBe(0);
  });
});

describe("the gateway's CORS", () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startTestGateway("http://127.0.0.1:9", { "cors.allowed_origins": PAGE });
  });
  afterAll(() => gateway.drain());

  const REQUEST_HEADERS = ["lro-max-staleness"];

  it("exposes every name of metadata that the gateway's code knows", async () => {
    const names = new Set(
      globSync("src/**/*.ts")
        .filter((file) => !file.startsWith("src/cli/"))
        .flatMap((file) => readFileSync(file, "utf8").match(/"lro-(?!gateway")[a-z-]+"/g) ?? [])
        .map((name) => name.slice(1, -1)),
    );
    const path = "/google.longrunning.Operations/GetOperation";
    const headers = { origin: PAGE, "content-type": "application/json" };
    const answer = await overHttp2(gateway.address, "POST", path, headers, Buffer.from('{"name":"x"}'));
    const exposed = String(answer.headers["access-control-expose-headers"]).split(", ");
    expect(names.size).toBeGreaterThan(4);
    expect([...names].filter((name) => !exposed.includes(name))).toEqual(REQUEST_HEADERS);
    expect(exposed).toContain("x-request-id");
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });
});
