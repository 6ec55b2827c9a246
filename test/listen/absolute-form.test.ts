import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAbsoluteForm } from "../../src/listen/absolute-form.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createCorsPolicy } from "../../src/rpc/cors/policy.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { createProbes } from "../../src/services/probes.ts";
import { HTTP1_NAMES } from "../support/carriers.ts";
import { cpuMs } from "../support/cpu-time.ts";
import { echo, echoRegistry, echoService, LOOK, SAY } from "../support/echo-service.ts";
import { RawH1 } from "../support/raw-h1.ts";

const PAGE = "https://console.example.com";

describe("readAbsoluteForm()", () => {
  it.each([
    ["POST", "http://a/b", "a", "/b"],
    ["POST", "HTTPS://A.example:8443/b/c?d=e/f", "A.example:8443", "/b/c?d=e/f"],
    ["GET", "http://[::1]:80//b", "[::1]:80", "//b"],
    ["GET", "http://a", "a", "/"],
    ["GET", "http://a?b", "a", "/?b"],
    ["OPTIONS", "http://a", "a", "*"],
    ["OPTIONS", "http://a?b", "a", "/?b"],
  ])("takes %s %s apart", (verb, uri, authority, target) => {
    expect(readAbsoluteForm(verb, uri)).toEqual({ authority, target });
  });

  it.each([
    "ftp://a/b",
    "grpc://a/b",
    "http:/a",
    "http:a",
    "http://",
    "http:///b",
    "http://?b",
    "http://user@a/b",
    "http://user:password@a/b",
    "http://a:65536/b",
    "http://a:b/",
    "http://[::1/b",
    "http://%zz/b",
    "http://a\\b/",
    "http://a/b#c",
    " http://a/b",
  ])("refuses %j", (uri) => {
    expect(readAbsoluteForm("POST", uri)).toBeUndefined();
  });

  it.each([":", "a", "/", "?", "a/"])("looks once at a fragment behind many of %j", (piece) => {
    const uri = `http://a${piece.repeat(200_000)}#`;
    expect(cpuMs(() => readAbsoluteForm("POST", uri))).toBeLessThan(1_000);
  });
});

describe.each(HTTP1_NAMES)("a request over %s HTTP/1.1 whose target is in absolute-form", (http1) => {
  const authorities: (string | undefined)[] = [];
  let listener: Listener;
  beforeAll(async () => {
    const service = echoService({
      say: (_, call) => echo({ text: call.header("host") ?? "none" }),
      look: ({ text }) => echo({ text }),
    });
    const router = createRouter([service], {
      registry: echoRegistry,
      cors: createCorsPolicy([PAGE], []),
      pages: createProbes([{ name: "upstream", passed: () => true }]),
    });
    listener = await startListener({ listen: "127.0.0.1:0", http1 }, (call) => {
      authorities.push(call.authority);
      router(call);
    });
  });
  afterAll(() => listener.close());

  /** Sends one request and reads to the end of the connection. */
  async function answerTo(line: string, lines: string[], body = ""): Promise<string> {
    authorities.length = 0;
    const caller = await RawH1.connect(Number(listener.address.split(":").at(-1)));
    const fields = [...lines, "Connection: close", `Content-Length: ${body.length}`];
    caller.send(`${[line, ...fields].join("\r\n")}\r\n\r\n${body}`);
    await caller.ended();
    caller.destroy();
    return caller.read;
  }
  const json = "Content-Type: application/json";

  it("is a call of the method that its path names, at its own authority and not at Host", async () => {
    const line = `POST http://gateway.example:8080${SAY} HTTP/1.1`;
    const answer = await answerTo(line, ["Host: proxy.example", json], "{}");
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('{"text":"gateway.example:8080"}');
    expect(authorities).toEqual(["gateway.example:8080"]);
  });

  it("may have an empty Host, and in HTTP/1.0 none", async () => {
    expect(await answerTo(`POST https://a${SAY} HTTP/1.1`, ["Host:", json], "{}")).toContain('{"text":"a"}');
    expect(await answerTo(`POST http://a${SAY} HTTP/1.0`, [json], "{}")).toContain('{"text":"a"}');
  });

  it("is one after another on its connection, each with its own authority", async () => {
    const caller = await RawH1.connect(Number(listener.address.split(":").at(-1)));
    for (const host of ["a", "b", "a"])
      caller.send(
        `POST http://${host}${SAY} HTTP/1.1\r\nHost: proxy\r\n${json}\r\nContent-Length: 2\r\n\r\n{}`,
      );
    await caller.until(/"text":"a".*"text":"b".*"text":"a"/s);
    caller.destroy();
  });

  it("is a GET of Connect with its query", async () => {
    const query = "?connect=v1&encoding=json&message=%7B%22text%22%3A%22x%22%7D";
    const answer = await answerTo(`GET http://a${LOOK}${query} HTTP/1.1`, ["Host: a"]);
    expect(answer).toContain('{"text":"x"}');
  });

  it("is a probe", async () => {
    expect(await answerTo("GET http://a/livez HTTP/1.1", ["Host: a"])).toMatch(/^HTTP\/1\.1 200 .*ok\n$/s);
    expect(await answerTo("GET http://a/readyz?verbose HTTP/1.1", ["Host: a"])).toContain("[+]upstream ok");
  });

  it("is a preflight", async () => {
    const answer = await answerTo(`OPTIONS http://a${SAY} HTTP/1.1`, [
      "Host: a",
      `Origin: ${PAGE}`,
      "Access-Control-Request-Method: POST",
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 204 /);
    expect(answer).toMatch(new RegExp(`access-control-allow-origin: ${PAGE}`, "i"));
  });

  it("finds no more than in origin-form", async () => {
    for (const uri of ["http://a/other", "http://a", "http://a?b"])
      expect(await answerTo(`POST ${uri} HTTP/1.1`, ["Host: a", json], "{}")).toMatch(/^HTTP\/1\.1 404 /);
  });

  it.each([
    ["user information", `http://user@a${SAY}`, ["Host: a"]],
    ["no authority", `http://${SAY}`, ["Host: a"]],
    ["an authority that is none", `http://a:99999${SAY}`, ["Host: a"]],
    ["another scheme", `ftp://a${SAY}`, ["Host: a"]],
    ["a fragment", `http://a${SAY}#b`, ["Host: a"]],
    ["no Host beside it", `http://a${SAY}`, []],
    ["two Hosts beside it", `http://a${SAY}`, ["Host: a", "Host: a"]],
    ["a malformed Host beside it", `http://a${SAY}`, ["Host: a b"]],
  ])("is answered 400 when it has %s", async (_what, uri, lines) => {
    const answer = await answerTo(`POST ${uri} HTTP/1.1`, [...lines, json], "{}");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(authorities).toEqual([]);
  });

  it("is answered 400 as a probe, too, when it has user information", async () => {
    expect(await answerTo("GET http://user@a/livez HTTP/1.1", ["Host: a"])).toMatch(/^HTTP\/1\.1 400 /);
  });
});
