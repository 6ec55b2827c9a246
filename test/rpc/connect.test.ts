import { fromBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { gatewayError } from "../../src/errors/reasons.ts";
import { createRouter } from "../../src/rpc/router.ts";
import {
  EchoSchema,
  echo,
  echoRegistry,
  echoService,
  LOOK,
  MISSING,
  REPEAT,
  SAY,
  streamOf,
} from "../support/echo-service.ts";
import { encode, envelope, envelopes } from "../support/encode-request.ts";
import { callInMemory } from "../support/in-memory.ts";

const codes = Object.values(Code).filter((code) => typeof code === "number");

const app = createRouter(
  [
    echoService({
      say: (message, call) => {
        call.responseHeader.set("x-head", "1");
        call.responseTrailer.set("x-tail", "2");
        if (message.times > 0) throw new ConnectError("coded", message.times);
        if (message.text === "busy")
          throw gatewayError("GATEWAY_OVERLOADED", "full", { retryDelayMs: 1_001 });
        return message;
      },
      look: (message) => message,
      repeat: ({ text, times }, call) => {
        call.responseTrailer.set("x-tail", "2");
        const error = text === "fail" ? new ConnectError("broken", Code.DataLoss) : undefined;
        return streamOf(
          Array.from({ length: times }, () => echo({ text })),
          error ? { error } : {},
        );
      },
    }),
  ],
  { registry: echoRegistry },
);

const json = { "content-type": "application/json" };
const proto = { "content-type": "application/proto" };

describe("Connect unary", () => {
  it("answers with the bare message, and trailing metadata behind a prefix", async () => {
    const body = [encode(EchoSchema, echo({ text: "hello" }), "proto")];
    const answer = await callInMemory(app, { target: SAY, headers: proto, body });
    expect(answer.status).toBe(200);
    expect(answer.headers).toEqual({
      "content-type": "application/proto",
      "x-head": "1",
      "trailer-x-tail": "2",
    });
    expect(answer.body).toEqual(body[0]);
  });

  it("takes an empty binary body for a message without fields, but not an empty JSON body", async () => {
    expect(await callInMemory(app, { target: SAY, headers: proto })).toMatchObject({ status: 200 });
    expect(await callInMemory(app, { target: SAY, headers: json })).toMatchObject({ status: 400 });
  });

  it.each(codes)("answers code %i by the HTTP status of the specification", async (code) => {
    const body = [Buffer.from(JSON.stringify({ times: code }))];
    const answer = await callInMemory(app, { target: SAY, headers: json, body });
    const statuses = [0, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    expect(answer.status).toBe(statuses[code]);
    expect(answer.headers).toMatchObject({
      "content-type": "application/json",
      "x-head": "1",
      "trailer-x-tail": "2",
    });
    const snake = (Code[code] ?? "").replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: snake, message: "coded" });
  });

  it("shows details in base64 and in plain, and says in a header when to try again", async () => {
    const answer = await callInMemory(app, {
      target: SAY,
      headers: json,
      body: [Buffer.from('{"text":"busy"}')],
    });
    expect(answer.status).toBe(429);
    expect(answer.headers["retry-after"]).toBe("2");
    const { details } = JSON.parse(answer.body.toString());
    expect(details[0]).toMatchObject({
      type: "google.rpc.ErrorInfo",
      debug: { reason: "GATEWAY_OVERLOADED", domain: "lro-gateway" },
    });
    expect(details[1].debug).toEqual({ retryDelay: "1.001s" });
    expect(details[1].value).not.toContain("=");
    expect(fromBinary(RetryInfoSchema, Buffer.from(details[1].value, "base64")).retryDelay?.seconds).toBe(1n);
  });

  it.each([
    ["JSON that is cut", '{"text":', 400],
    ["a value of the wrong type", '{"text":1}', 400],
    ["JSON of depth 10,000", `${'{"inner":'.repeat(10_000)}{}${"}".repeat(10_000)}`, 429],
    ["JSON of depth 1,500", `${'{"inner":'.repeat(1_500)}{}${"}".repeat(1_500)}`, 400],
    ["an array", "[]", 400],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400],
  ])("refuses %s", async (_what, body, status) => {
    const answer = await callInMemory(app, { target: SAY, headers: json, body: [Buffer.from(body)] });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body.toString()).details[0].debug.domain).toBe("lro-gateway");
  });

  it("names the field that JSON cannot hold, such as half a surrogate pair", async () => {
    for (const value of ['"\\ud800"', "5"]) {
      const body = [Buffer.from(`{"text":${value}}`)];
      const answer = await callInMemory(app, { target: SAY, headers: json, body });
      const { code, details } = JSON.parse(answer.body.toString());
      expect(code).toBe("invalid_argument");
      expect(details[1]?.debug?.fieldViolations?.[0]?.field, value).toBe("text");
    }
  });

  it("takes __proto__ and unknown fields for what they are: unknown", async () => {
    const body = [Buffer.from('{"__proto__":{"text":"x"},"constructor":1,"new":[],"text":"y"}')];
    const answer = await callInMemory(app, { target: SAY, headers: json, body });
    expect(answer.body.toString()).toBe('{"text":"y"}');
    expect(Object.prototype).not.toHaveProperty("text");
  });

  it("answers in its protocol what is not served, and by HTTP what is no call", async () => {
    expect(await callInMemory(app, { target: MISSING, headers: json })).toMatchObject({ status: 501 });
    const target = "/test.v1.EchoService/Nothing";
    const unknown = await callInMemory(app, { target, headers: json });
    expect(unknown.status).toBe(501);
    expect(JSON.parse(unknown.body.toString()).code).toBe("unimplemented");
    expect(await callInMemory(app, { target: "/other.Service/Method", headers: json })).toMatchObject({
      status: 404,
    });
    expect(await callInMemory(app, { target: "//test.v1.EchoService/Say", headers: json })).toMatchObject({
      status: 404,
    });
    expect(await callInMemory(app, { target: "/test.v1.EchoService/%53ay", headers: json })).toMatchObject({
      status: 501,
    });
    for (const type of [
      "text/plain",
      "",
      "application/json5",
      "application/connect+json",
      "application/x-www-form-urlencoded",
    ])
      expect(await callInMemory(app, { target: SAY, headers: { "content-type": type } })).toMatchObject({
        status: 415,
      });
    expect(await callInMemory(app, { target: SAY, headers: {} })).toMatchObject({ status: 415 });
    expect(await callInMemory(app, { target: REPEAT, headers: json })).toMatchObject({ status: 415 });
    const put = await callInMemory(app, { verb: "PUT", target: SAY, headers: json });
    expect(put).toMatchObject({ status: 405, headers: { allow: "POST" } });
  });
});

describe("Connect GET", () => {
  const get = (target: string) => callInMemory(app, { verb: "GET", target, headers: {} });
  const message = encode(EchoSchema, echo({ text: "größer" }), "proto");

  it("serves methods that are declared free of side effects, in both codecs", async () => {
    const json = encodeURIComponent('{"text":"größer"}');
    const plain = await get(`${LOOK}?connect=v1&encoding=json&message=${json}`);
    expect(plain).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
    expect(plain.body.toString()).toBe('{"text":"größer"}');
    const binary = await get(`${LOOK}?encoding=proto&base64=1&message=${message.toString("base64url")}`);
    expect(binary.body).toEqual(message);
  });

  it("refuses any other method, and an encoding that is not known", async () => {
    expect(await get(`${SAY}?encoding=json&message=%7B%7D`)).toMatchObject({ status: 405 });
    expect(await get(`${REPEAT}?encoding=json&message=%7B%7D`)).toMatchObject({ status: 405 });
    expect(await get(`${LOOK}?encoding=xml&message=%7B%7D`)).toMatchObject({ status: 415 });
    expect(await get(LOOK)).toMatchObject({ status: 415 });
    expect(await get(`${LOOK}?encoding=json&message=%7B`)).toMatchObject({ status: 400 });
    expect(await get(`${LOOK}?encoding=json&message=%7B%7D&compression=lzma`)).toMatchObject({ status: 501 });
  });

  it("reads base64 of both alphabets with and without padding, and refuses what is none", async () => {
    const ask = (text: string) => get(`${LOOK}?encoding=json&base64=1&message=${text}`);
    const bytes = Buffer.from('{"text":"ü?>"}');
    for (const text of [
      bytes.toString("base64url"),
      bytes.toString("base64url").padEnd(20, "%3D"),
      encodeURIComponent(bytes.toString("base64")),
    ])
      expect((await ask(text)).body.toString()).toBe('{"text":"ü?>"}');
    for (const text of ["%25%25", "e30%3D%3D", "e", "e3%200", "e30%3De30", "%3D"]) {
      const { status, body } = await ask(text);
      expect([text, status, body.toString()]).toEqual([
        text,
        400,
        expect.stringContaining("not the base64 that it says it is"),
      ]);
    }
  });
});

describe("Connect streams", () => {
  const headers = { "content-type": "application/connect+json" };
  const ask = (body: object) =>
    callInMemory(app, { target: REPEAT, headers, body: [envelope(0, Buffer.from(JSON.stringify(body)))] });

  it("ends with an envelope that holds the trailing metadata", async () => {
    const answer = await ask({ text: "a", times: 2 });
    expect(answer).toMatchObject({ status: 200, headers });
    expect(
      envelopes(answer.body).map(({ flags, message }) => [flags, JSON.parse(message.toString())]),
    ).toEqual([
      [0, { text: "a" }],
      [0, { text: "a" }],
      [2, { metadata: { "x-tail": ["2"] } }],
    ]);
  });

  it("ends with the error, behind messages or without any", async () => {
    for (const times of [1, 0]) {
      const answer = await ask({ text: "fail", times });
      expect(answer.status).toBe(200);
      const end = envelopes(answer.body).at(-1);
      expect(end?.flags).toBe(2);
      expect(JSON.parse(end?.message.toString() ?? "")).toMatchObject({
        error: { code: "data_loss", message: "broken" },
      });
    }
  });

  it("answers a request that is not exactly one message in the stream", async () => {
    const answer = await callInMemory(app, { target: REPEAT, headers, body: [] });
    expect(answer.status).toBe(200);
    expect(JSON.parse(envelopes(answer.body)[0]?.message.toString() ?? "").error.code).toBe("unimplemented");
  });

  it("keeps a detail whose type nobody knows, without its plain form", async () => {
    const strange = createRouter(
      [
        echoService({
          say: () => {
            const error = new ConnectError("x", Code.Unknown);
            error.details.push({
              type: "unknown.Type",
              value: anyPack(EchoSchema, echo({ text: "y" })).value,
            });
            throw error;
          },
        }),
      ],
      { registry: echoRegistry },
    );
    const answer = await callInMemory(strange, { target: SAY, headers: json, body: [Buffer.from("{}")] });
    expect(JSON.parse(answer.body.toString()).details).toEqual([{ type: "unknown.Type", value: "CgF5" }]);
  });
});
