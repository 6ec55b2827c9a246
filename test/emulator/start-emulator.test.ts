import { createServer } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FaultSpec } from "../../src/emulator/faults.ts";
import { type RunningEmulator, startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { DATASET, type OperationJson, rawExchange } from "./harness.ts";

let running: RunningEmulator;
let name: string;
beforeEach(async () => {
  running = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
  name = running.emulator.createOperation({ dataset: DATASET, durationMs: null });
});
afterEach(() => running.close());

const url = () => `${running.endpoint}/v1/${name}`;
const request = (verb = "GET", headers = "") =>
  `${verb} /v1/${name}${verb === "POST" ? ":cancel" : ""} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const fault = (spec: FaultSpec) => running.emulator.addFault(spec);

test("serves the API over HTTP/1.1, kept alive, and closes it all", async () => {
  const first = await fetch(url());
  expect(first.headers.get("content-type")).toBe("application/json; charset=UTF-8");
  expect(Number(first.headers.get("content-length"))).toBe((await first.text()).length);
  const cancelled = await fetch(`${url()}:cancel`, { method: "POST" });
  expect([cancelled.status, await cancelled.text()]).toEqual([200, "{}\n"]);
  const twice = await rawExchange(running.endpoint, request() + request("GET", "Connection: close\r\n"));
  expect(twice.text.match(/HTTP\/1\.1 200 OK/g)?.length).toBe(2);
  const [a, b] = running.emulator.requests.entries().slice(-2);
  expect([a?.connection, a?.connection]).toEqual([b?.connection, expect.any(Number)]);
  await running.close();
  await expect(fetch(url())).rejects.toThrow();
});

test("answers a POST that announces no body with the 411 page, one with Content-Length: 0 with {}", async () => {
  const without = await rawExchange(running.endpoint, request("POST", "Connection: close\r\n"));
  expect(without.text).toMatch(/^HTTP\/1\.1 411 /);
  expect(without.text).toContain("<!DOCTYPE html>");
  const withLength = await rawExchange(
    running.endpoint,
    request("POST", "Content-Length: 0\r\nConnection: close\r\n"),
  );
  expect(withLength.text).toMatch(/^HTTP\/1\.1 200 /);
  const chunked = request("POST", "Transfer-Encoding: chunked\r\nConnection: close\r\n");
  expect((await rawExchange(running.endpoint, `${chunked}2\r\n{}\r\n0\r\n\r\n`)).text).toMatch(
    /^HTTP\/1\.1 200 /,
  );
});

test("refuses a huge request body with the 413 page and takes no harm", async () => {
  const answer = await fetch(`${url()}:cancel`, { method: "POST", body: "x".repeat(1024 * 1024 + 1) });
  expect([answer.status, await answer.text()]).toEqual([413, expect.stringContaining("<title>Error 413")]);
  expect((await fetch(url())).status).toBe(200);
});

test.each(["before-headers", "after-headers", 20] as const)("resets the connection (%s)", async (reset) => {
  fault({ times: 1, delivery: { reset } });
  const { text, error } = await rawExchange(running.endpoint, request());
  expect(error).toBe("ECONNRESET");
  const body = text.split("\r\n\r\n")[1];
  expect(body?.length).toBe({ "before-headers": undefined, "after-headers": 0, 20: 20 }[reset]);
  expect((await fetch(url())).status).toBe(200);
});

test("closes the connection in the middle of a body", async () => {
  fault({ times: 1, delivery: { truncate: 30 } });
  const { text, error } = await rawExchange(running.endpoint, request());
  const [head = "", body = ""] = text.split("\r\n\r\n");
  expect([error, body.length]).toEqual([undefined, 30]);
  expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBeGreaterThan(30);
});

test("cuts JSON in the middle of a whole HTTP message", async () => {
  fault({ times: 1, delivery: { cut: 30 } });
  const answer = await fetch(url());
  const text = await answer.text();
  expect([answer.headers.get("content-length"), text.length]).toEqual(["30", 30]);
  expect(() => JSON.parse(text)).toThrow();
});

test("drips the body", async () => {
  fault({ times: 1, delivery: { drip: { bytes: 100, everyMs: 5 } } });
  const answer = await fetch(url());
  const pieces: number[] = [];
  for await (const piece of answer.body ?? []) pieces.push(piece.length);
  expect(pieces.length).toBeGreaterThan(2);
});

test.each(["before-headers", "after-headers"] as const)(
  "never answers (%s), and sees the client leave",
  async (hang) => {
    fault({ times: 1, delivery: { hang } });
    const { text } = await rawExchange(running.endpoint, request(), 150);
    expect(text.includes("HTTP/1.1 200")).toBe(hang === "after-headers");
    await expect.poll(() => running.emulator.requests.entries()[0]?.abortedAfterMs).toBeTypeOf("number");
  },
);

test("sees a client leave while it delays the answer, and still applies a cancel", async () => {
  fault({ times: 1, delayMs: 2_000 });
  const leave = new AbortController();
  const answer = fetch(`${url()}:cancel`, { method: "POST", signal: leave.signal });
  await expect.poll(() => running.emulator.requests.counts().total).toBe(1);
  leave.abort();
  await expect(answer).rejects.toThrow();
  await expect.poll(() => running.emulator.requests.entries()[0]?.abortedAfterMs).toBeTypeOf("number");
  await expect
    .poll(() => (running.emulator.operation(name) as unknown as OperationJson).metadata.cancelRequested)
    .toBe(true);
});

test("lies about Content-Length, or has none", async () => {
  fault({ times: 1, delivery: { contentLength: 10 } });
  expect((await rawExchange(running.endpoint, request("GET", "Connection: close\r\n"))).text).toMatch(
    /content-length: 10\r\n/i,
  );
  fault({ times: 1, delivery: { contentLength: 1_000_000 } });
  expect((await rawExchange(running.endpoint, request(), 200)).text).toMatch(/content-length: 1000000\r\n/i);
  fault({ times: 1, delivery: { chunked: true } });
  expect((await rawExchange(running.endpoint, request("GET", "Connection: close\r\n"))).text).toMatch(
    /transfer-encoding: chunked\r\n/i,
  );
});

test("compresses once or many times over", async () => {
  fault({ times: 1, delivery: { gzip: 1 } });
  expect(((await (await fetch(url())).json()) as OperationJson).name).toBe(name);
  fault({ times: 1, delivery: { gzip: 3 } });
  const { text } = await rawExchange(running.endpoint, request("GET", "Connection: close\r\n"));
  const [head = "", body = ""] = text.split("\r\n\r\n");
  expect(head).toMatch(/content-encoding: gzip, gzip, gzip/i);
  expect(JSON.parse(gunzipSync(gunzipSync(gunzipSync(Buffer.from(body, "latin1")))).toString()).name).toBe(
    name,
  );
});

test("sends a bomb: 20 MB of valid JSON in a few KB", async () => {
  fault({ times: 1, delivery: { gzip: 1, padTo: 20_000_000 } });
  const answer = await fetch(url());
  expect(Number(answer.headers.get("content-length"))).toBeLessThan(100_000);
  expect((await answer.text()).length).toBe(20_000_000);
});

test("sends a huge body without holding it, and huge headers", async () => {
  fault({ times: 1, delivery: { padTo: 1e9 } });
  const answer = await fetch(url());
  expect(answer.headers.get("content-length")).toBe("1000000000");
  let seen = 0;
  const before = process.memoryUsage().rss;
  for await (const piece of answer.body ?? []) {
    seen += piece.length;
    if (seen > 50_000_000) break;
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  fault({ times: 1, delivery: { headerBytes: 100_000 } });
  const { text } = await rawExchange(running.endpoint, request("GET", "Connection: close\r\n"));
  expect(/x-padding: (x+)/.exec(text)?.[1]?.length).toBe(100_000);
});

test("sends what is no HTTP at all", async () => {
  fault({ times: 1, delivery: { raw: "SSH-2.0-OpenSSH_9.2\r\n" } });
  expect((await rawExchange(running.endpoint, request())).text).toBe("SSH-2.0-OpenSSH_9.2\r\n");
});

test("closes at once although a fault holds a connection open", async () => {
  fault({ delivery: { hang: "before-headers" } });
  const pending = rawExchange(running.endpoint, request(), 10_000);
  await expect.poll(() => running.emulator.requests.counts().total).toBe(1);
  await running.close();
  await pending;
});

test("says that a port is taken, and what an address must look like", async () => {
  const { port } = new URL(running.endpoint);
  const start = (listen: string) => startEmulator({ clock: systemClock, listen });
  await expect(start(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: "EADDRINUSE" });
  for (const listen of ["9090", "127.0.0.1", "127.0.0.1:99999", "::1:80", ""]) {
    await expect(start(listen)).rejects.toThrow("listen must be host:port");
  }
  const probe = createServer().listen(0, "::1");
  const hasIpv6 = await new Promise((resolve) =>
    probe.once("listening", () => resolve(true)).once("error", () => resolve(false)),
  );
  probe.close();
  if (hasIpv6) {
    const six = await start("[::1]:0");
    expect((await fetch(`${six.endpoint}/v1/x`)).status).toBe(404);
    await six.close();
  }
});
