import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DATASET, GET, LIST, METADATA_TYPE, ORIGIN, run, startWorld, WATCH, type World } from "./world.ts";

let world: World;
let name: string;
beforeAll(async () => {
  world = await startWorld();
  name = world.create({ durationMs: 600_000 });
});
afterAll(() => world.close());

/** The last line that `-w` adds. */
const OUTCOME = "\n%{http_version} %{http_code} %{content_type}";

interface Answer {
  /** Version of HTTP, status and content type. */
  readonly outcome: string;
  readonly body: string;
}

async function curl(...args: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await run("curl", "-sS", "-w", OUTCOME, ...args);
  expect([code, stderr]).toEqual([0, ""]);
  const end = stdout.lastIndexOf("\n");
  return { outcome: stdout.slice(end + 1), body: stdout.slice(0, end) };
}

const json = (request: object) => ["-H", "content-type: application/json", "-d", JSON.stringify(request)];

describe.each([
  ["HTTP/1.1", "http", ["--http1.1"], "1.1"],
  ["h2c with prior knowledge", "http", ["--http2-prior-knowledge"], "2"],
  ["TLS, HTTP/1.1", "https", ["--http1.1"], "1.1"],
  ["TLS, HTTP/2", "https", ["--http2"], "2"],
])("curl over %s", (_title, scheme, flags, version) => {
  const call = (method: string, ...args: string[]) =>
    curl(...flags, "--cacert", world.certificate, ...args, `${scheme}://${world.address}/${method}`);

  test("gets an operation as JSON", async () => {
    const { outcome, body } = await call(GET, ...json({ name }));
    expect(outcome).toBe(`${version} 200 application/json`);
    expect(JSON.parse(body)).toMatchObject({ name, metadata: { "@type": METADATA_TYPE } });
  });

  test("lists operations, and has the answer compressed if it asks for that", async () => {
    const { outcome, body } = await call(LIST, "--compressed", ...json({ name: DATASET, pageSize: 1 }));
    expect(outcome).toBe(`${version} 200 application/json`);
    expect((JSON.parse(body) as { operations: unknown[] }).operations).toHaveLength(1);
  });

  test("reads status, code, message and details of an error", async () => {
    const { outcome, body } = await call(GET, ...json({ name: "a/b" }));
    expect(outcome).toBe(`${version} 400 application/json`);
    expect(JSON.parse(body)).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining('where "projects" belongs') as string,
      details: [
        { type: "google.rpc.ErrorInfo" },
        { type: "google.rpc.BadRequest" },
        { type: "google.rpc.RequestInfo" },
      ],
    });
  });

  test("is told 415 of a body that is no message, 404 of a method that is not there, 405 of GET", async () => {
    const typeless = await call(GET, "-d", "x");
    expect(typeless.outcome).toMatch(`${version} 415`);
    expect(typeless.body).toContain("content-type: application/json");
    expect((await call("nobody.Knows/Nothing", ...json({}))).outcome).toMatch(`${version} 404`);
    expect((await call(GET)).outcome).toMatch(`${version} 405`);
  });

  test("sees the probes", async () => {
    expect(await call("readyz")).toEqual({
      outcome: `${version} 200 text/plain; charset=utf-8`,
      body: "ok\n",
    });
  });

  test("does a browser's preflight", async () => {
    const preflight = (origin: string) => [
      ...["-X", "OPTIONS", "-D", "-", "-H", `origin: ${origin}`],
      ...["-H", "access-control-request-method: POST"],
      ...["-H", "access-control-request-headers: connect-protocol-version,content-type"],
    ];
    const { outcome, body } = await call(GET, ...preflight(ORIGIN));
    expect(outcome).toMatch(`${version} 204`);
    expect(body).toMatch(new RegExp(`^access-control-allow-origin: ${ORIGIN}\r$`, "im"));
    expect((await call(GET, ...preflight("https://elsewhere.example"))).outcome).toMatch(`${version} 403`);
  });

  test("reads a stream as it comes, until the operation is done", async () => {
    const watched = world.create({ durationMs: 1_000 });
    const message = Buffer.from(JSON.stringify({ name: watched }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    // An enveloped message, which printf writes: https://connectrpc.com/docs/protocol#streaming-request
    const octal = [...head].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
    const send = `printf '${octal}%s' '${message}' | curl "$@"`;
    const url = `${scheme}://${world.address}/${WATCH}`;
    const type = "content-type: application/connect+json";
    const args = [...flags, "--cacert", world.certificate, "-sS", "-H", type, "--data-binary", "@-", url];
    const { stdout } = await run("sh", "-c", send, "sh", ...args);
    expect(stdout).toContain('"state":"SUCCEEDED"');
    expect(stdout.slice(-2)).toBe("{}");
  });
});
