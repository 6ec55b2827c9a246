import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { HttpRefusal } from "../../src/rpc/http-refusal.ts";
import { createRouter } from "../../src/rpc/router.ts";
import type { FinishedCall } from "../../src/rpc/stages.ts";
import {
  EchoSchema,
  echo,
  echoRegistry,
  echoService,
  MISSING,
  REPEAT,
  SAY,
  streamOf,
} from "../support/echo-service.ts";
import { encode, envelope } from "../support/encode-request.ts";
import { callInMemory } from "../support/in-memory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const headers = { "content-type": "application/json", "x-request-id": "abc-1" };
const body = [Buffer.from('{"text":"hello"}')];

describe("the admit stage", () => {
  const refusal = new ConnectError("not you", Code.PermissionDenied);

  it.each([
    ["at once", () => refusal],
    ["later", () => Promise.resolve(refusal)],
  ])("refuses a call %s, and nothing of its body is decoded", async (_when, admit) => {
    let ran = 0;
    const app = createRouter(
      [
        echoService({
          say: (message) => {
            ran++;
            return message;
          },
        }),
      ],
      {
        registry: echoRegistry,
        stages: { admit },
      },
    );
    const answer = await callInMemory(app, { target: SAY, headers, body: [Buffer.from("no JSON")] });
    expect(answer.status).toBe(403);
    expect(ran).toBe(0);
  });

  it.each([
    ["at once", () => undefined],
    ["later", () => Promise.resolve(undefined)],
  ])("lets a call through %s", async (_when, admit) => {
    const app = createRouter([echoService({ say: (message) => message })], {
      registry: echoRegistry,
      stages: { admit },
    });
    expect(await callInMemory(app, { target: SAY, headers, body })).toMatchObject({ status: 200 });
  });

  it("that never answers does not keep a call beyond its time", async () => {
    const clock = new ManualClock();
    const app = createRouter([echoService({ say: (message) => message })], {
      registry: echoRegistry,
      clock,
      stages: { admit: () => new Promise(() => {}) },
    });
    const answer = callInMemory(app, {
      target: SAY,
      headers: { ...headers, "connect-timeout-ms": "50" },
      body,
    });
    await clock.advance(100);
    expect(await answer).toMatchObject({ status: 504 });
  });
});

describe("an admit stage that breaks its promise", () => {
  it.each<[string, () => undefined | Promise<undefined>]>([
    [
      "throws",
      () => {
        throw new Error("a policy that cannot be read");
      },
    ],
    ["rejects", () => Promise.reject(new Error("a policy that cannot be read"))],
  ])("and %s ends that call alone, as a bug of the gateway", async (_how, broken) => {
    let calls = 0;
    const told: unknown[] = [];
    const app = createRouter([echoService({ say: (message) => message })], {
      registry: echoRegistry,
      stages: {
        admit: () => (calls++ === 0 ? broken() : undefined),
        finished: (_call, error) => told.push(error?.cause),
      },
    });
    const answer = await callInMemory(app, { target: SAY, headers, body });
    expect(answer.status).toBe(500);
    const { code, details } = JSON.parse(String(answer.body));
    expect(code).toBe("internal");
    expect(details[0].debug.reason).toBe("GATEWAY_BUG");
    expect(String(answer.body)).not.toContain("policy");
    expect(told).toEqual([new Error("a policy that cannot be read")]);
    expect(await callInMemory(app, { target: SAY, headers, body })).toMatchObject({ status: 200 });
  });
});

describe("the amendError stage", () => {
  const terse = (error: ConnectError) => new ConnectError("amended", error.code);
  const app = createRouter(
    [
      echoService({
        say: () => {
          throw new ConnectError("secret", Code.Aborted);
        },
      }),
    ],
    { registry: echoRegistry, stages: { amendError: terse } },
  );

  it.each([
    ["a handler's", SAY, 409],
    ["the path's own", MISSING, 501],
  ])("has the last word on %s error", async (_whose, target, status) => {
    const answer = await callInMemory(app, { target, headers, body });
    expect(answer.status).toBe(status);
    expect(JSON.parse(String(answer.body))).toMatchObject({ message: "amended" });
  });
});

describe("the finished stage", () => {
  function setUp() {
    const told: [FinishedCall, ConnectError | undefined][] = [];
    const refused: (HttpRefusal | ConnectError)[] = [];
    const app = createRouter(
      [
        echoService({
          say: (message) => {
            if (message.text === "fail") throw new ConnectError("no", Code.Aborted);
            return message;
          },
          repeat: ({ times }) => streamOf(Array.from({ length: times }, () => echo({ text: "a" }))),
        }),
      ],
      {
        registry: echoRegistry,
        stages: {
          finished: (call, error) => told.push([call, error]),
          refused: (_carrier, why) => refused.push(why),
        },
      },
    );
    return { app, told, refused };
  }

  it("is told once for each call, with its sizes and its error", async () => {
    const { app, told } = setUp();
    await callInMemory(app, { target: SAY, headers, body });
    await callInMemory(app, { target: SAY, headers, body: [Buffer.from('{"text":"fail"}')] });
    await callInMemory(app, { target: SAY, headers, body: [Buffer.from("{")] });
    const stream = [envelope(0, encode(EchoSchema, echo({ times: 3 }), "proto"))];
    await callInMemory(app, {
      target: REPEAT,
      headers: { "content-type": "application/grpc" },
      body: stream,
    });
    expect(told.map(([, error]) => error?.code)).toEqual([
      undefined,
      Code.Aborted,
      Code.InvalidArgument,
      undefined,
    ]);
    expect(told[0]?.[0]).toMatchObject({
      protocol: "connect",
      requestBytes: 16,
      responseBytes: 16,
      responseMessages: 1,
      requestId: "abc-1",
      peer: "in-memory",
    });
    expect(told[3]?.[0]).toMatchObject({ protocol: "grpc", responseMessages: 3 });
  });

  it("hears of requests that are no calls as refused", async () => {
    const { app, told, refused } = setUp();
    await callInMemory(app, { target: "/nothing", headers });
    await callInMemory(app, { target: SAY, headers: { "content-type": "text/html" } });
    await callInMemory(app, { target: MISSING, headers });
    expect(refused).toMatchObject([
      { httpStatus: 404, reason: "METHOD_UNKNOWN" },
      { httpStatus: 415, reason: "REQUEST_MALFORMED" },
      { code: Code.Unimplemented },
    ]);
    expect(told).toEqual([]);
  });

  it("makes a request id where the caller's is none that may go into a log", async () => {
    const { app, told } = setUp();
    for (const id of ["a b", "x".repeat(129), "\u001b[31m", ""])
      await callInMemory(app, { target: SAY, headers: { ...headers, "x-request-id": id }, body });
    for (const [call] of told) expect(call.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(told.map(([call]) => call.requestId)).size).toBe(4);
  });
});

describe("the request id", () => {
  const app = createRouter([echoService({ say: () => Promise.reject(new Error("broken")) })], {
    registry: echoRegistry,
    stages: { refused: (_carrier, _why, requestId) => refused.push(requestId) },
  });
  const stock = createRouter([echoService({ say: () => Promise.reject(new Error("broken")) })], {
    registry: echoRegistry,
    allThroughConnectEs: true,
  });
  const refused: string[] = [];
  const MADE_HERE = /^[0-9a-f-]{36}$/;

  it.each([
    ["a call that failed", app, SAY, 500],
    ["a call that failed in connect-es", stock, SAY, 500],
    ["a method that is not served", app, MISSING, 501],
    ["a path that is none", app, "/nothing", 404],
  ])("of %s is told to its caller", async (_what, router, target, status) => {
    refused.length = 0;
    const given = await callInMemory(router, { target, headers, body });
    expect(given).toMatchObject({ status, headers: { "x-request-id": "abc-1" } });
    const hostile = await callInMemory(router, {
      target,
      headers: { ...headers, "x-request-id": "a b" },
      body,
    });
    expect(hostile.headers["x-request-id"]).toMatch(MADE_HERE);
    if (status !== 500) expect(refused).toEqual(["abc-1", hostile.headers["x-request-id"]]);
  });

  it("is not sent with an answer that is no error", async () => {
    const fine = createRouter([echoService({ say: (message) => message })], { registry: echoRegistry });
    const answer = await callInMemory(fine, { target: SAY, headers, body });
    expect(answer.headers).not.toHaveProperty("x-request-id");
  });
});
