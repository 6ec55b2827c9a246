import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { gatewayError } from "../../src/errors/reasons.ts";
import { createRouter, type RouterOptions } from "../../src/rpc/router.ts";
import {
  type Echo,
  EchoSchema,
  echo,
  echoRegistry,
  echoService,
  MISSING,
  REPEAT,
  SAY,
  streamOf,
} from "../support/echo-service.ts";
import { encode, envelope, envelopes } from "../support/encode-request.ts";
import { callInMemory } from "../support/in-memory.ts";

const GRPC = { "content-type": "application/grpc", te: "trailers" };

function router(handlers: Parameters<typeof echoService>[0], options: Partial<RouterOptions> = {}) {
  return createRouter([echoService(handlers)], { registry: echoRegistry, ...options });
}

function request(message: Echo = echo({ text: "hello" })) {
  return envelope(0, encode(EchoSchema, message, "proto"));
}

function statusOf(headers: Readonly<Record<string, unknown>>) {
  return fromBinary(StatusSchema, Buffer.from(String(headers["grpc-status-details-bin"]), "base64"));
}

describe("gRPC", () => {
  it("answers with a header block, one envelope and trailers", async () => {
    const app = router({ say: (message) => message });
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body: [request()] });
    expect(answer.status).toBe(200);
    expect(answer.headers).toEqual({ "content-type": "application/grpc+proto" });
    expect(answer.trailers).toEqual({ "grpc-status": "0" });
    expect(answer.body).toEqual(request());
  });

  it("speaks JSON where the content type says so", async () => {
    const app = router({ say: (message) => message });
    const body = envelope(0, Buffer.from('{"text":"hello"}'));
    const headers = { "content-type": "application/grpc+json" };
    const answer = await callInMemory(app, { target: SAY, headers, body: [body] });
    expect(answer.headers["content-type"]).toBe("application/grpc+json");
    expect(answer.body).toEqual(body);
  });

  it("ends an error in the header block itself, with the same status three times", async () => {
    const app = router({
      say: () => {
        throw gatewayError("UPSTREAM_UNAVAILABLE", "später, 100 %", { retryDelayMs: 1_500 });
      },
    });
    const headers = { ...GRPC, "x-request-id": "abc-1" };
    const answer = await callInMemory(app, { target: SAY, headers, body: [request()] });
    expect(answer).toMatchObject({ status: 200, headersOnly: true, trailers: undefined });
    expect(answer.headers).toMatchObject({
      "x-request-id": "abc-1",
      "content-type": "application/grpc+proto",
      "grpc-status": "14",
      "grpc-message": "sp%C3%A4ter, 100 %25",
      "grpc-retry-pushback-ms": "1500",
      // For proxies that retry: whole seconds, rounded up.
      "retry-after": "2",
    });
    const status = statusOf(answer.headers);
    expect(status.code).toBe(14);
    expect(status.message).toBe("später, 100 %");
    expect(status.details.map(({ typeUrl }) => typeUrl)).toEqual([
      `type.googleapis.com/${ErrorInfoSchema.typeName}`,
      `type.googleapis.com/${RetryInfoSchema.typeName}`,
      `type.googleapis.com/${RequestInfoSchema.typeName}`,
    ]);
    expect(answer.headers["grpc-status-details-bin"]).not.toContain("=");
  });

  it("sends the metadata of a handler and of an error", async () => {
    const app = router({
      say: (_message, call) => {
        call.responseTrailer.append("x-tail", "1");
        call.responseTrailer.append("x-tail", "2");
        throw new ConnectError("no", Code.Aborted, { "x-error": "3" });
      },
    });
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body: [request()] });
    expect(answer.headersOnly).toBe(true);
    expect(answer.headers).toMatchObject({
      "x-tail": ["1", "2"],
      "x-error": "3",
      "grpc-status": "10",
    });
  });

  it("keeps leading metadata apart from an error, since clients would read it as trailing", async () => {
    const app = router({
      say: (_message, call) => {
        call.responseHeader.set("x-head", "1");
        throw new ConnectError("no", Code.Aborted);
      },
    });
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body: [request()] });
    expect(answer.headersOnly).toBe(false);
    expect(answer.headers).toEqual({ "content-type": "application/grpc+proto", "x-head": "1" });
    expect(answer.trailers).toMatchObject({ "grpc-status": "10", "grpc-message": "no" });
  });

  it("cannot be made to forge a header", async () => {
    const app = router({
      say: (message, call) => {
        call.responseHeader.set("x-null", "a\0grpc-status\x000");
        call.responseHeader.set("x-line", "a\r\ngrpc-status: 0");
        call.responseHeader.set("grpc-status", "5");
        call.responseHeader.set("content-type", "text/html");
        call.responseHeader.set(":status", "500");
        call.responseHeader.set("x-fine", "fine");
        return message;
      },
    });
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body: [request()] });
    expect(answer.headers).toEqual({ "content-type": "application/grpc+proto", "x-fine": "fine" });
  });

  it.each([
    ["nothing", [], 12],
    ["two messages", [request(), request()], 12],
    ["half a message", [request().subarray(0, 7)], 3],
    ["half an envelope", [Buffer.from([0, 0, 0])], 3],
    ["unknown flags", [envelope(4, encode(EchoSchema, echo({}), "proto"))], 3],
    ["a claim of 4 GiB", [Buffer.from([0, 0xff, 0xff, 0xff, 0xff])], 8],
    [
      "a message above the limit",
      [envelope(0, encode(EchoSchema, echo({ data: new Uint8Array(16_384) }), "proto"))],
      8,
    ],
    ["no protobuf", [envelope(0, Buffer.from("\xff\xff\xff"))], 3],
    ["text that is no UTF-8", [envelope(0, Buffer.from([0x0a, 0x02, 0xc3, 0x28]))], 3],
    ["a compressed message of which no header speaks", [envelope(1, Buffer.from("x"))], 13],
  ])("answers a request of %s by a status, and runs nothing", async (_what, body, status) => {
    let ran = 0;
    const app = router({
      say: (message) => {
        ran++;
        return message;
      },
    });
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body });
    expect(answer.headers["grpc-status"]).toBe(String(status));
    expect(statusOf(answer.headers).code).toBe(status);
    expect(ran).toBe(0);
  });

  it("refuses a message above the limit before it has arrived", async () => {
    const app = router({ say: (message) => message });
    const body = [Buffer.from([0, 0, 0, 0x40, 1])];
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body, complete: false });
    expect(answer.headers["grpc-status"]).toBe("8");
  });

  it("takes a message of exactly the limit, in any pieces", async () => {
    const app = router({ say: (message) => echo({ times: message.data.length }) });
    const message = echo({ data: new Uint8Array(16_384 - 3) });
    const bytes = request(message);
    expect(bytes.length).toBe(16_384 + 5);
    const pieces = Array.from({ length: 256 }, (_, at) => bytes.subarray(at * 65, (at + 1) * 65));
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body: pieces });
    expect(answer.trailers).toEqual({ "grpc-status": "0" });
    const [reply] = envelopes(answer.body);
    expect(fromBinary(EchoSchema, reply?.message ?? new Uint8Array())).toMatchObject({ times: 16_381 });
  });

  it("resets a request that comes in more pieces than any honest one", async () => {
    const app = router({ say: (message) => message });
    const body = Array.from({ length: 257 }, () => Buffer.alloc(1));
    await expect(callInMemory(app, { target: SAY, headers: GRPC, body })).rejects.toThrow(
      "ENHANCE_YOUR_CALM",
    );
    expect(app.openCalls).toBe(0);
  });

  it("answers what is not served by UNIMPLEMENTED in a header block", async () => {
    const app = router({ say: (message) => message });
    for (const target of [MISSING, "/test.v1.EchoService/Nothing"]) {
      const answer = await callInMemory(app, { target, headers: GRPC, body: [request()] });
      expect(answer).toMatchObject({ status: 200, headersOnly: true });
      expect(answer.headers["grpc-status"]).toBe("12");
    }
  });

  it("answers INTERNAL without a word of why to anything else that is thrown", async () => {
    const app = router({ say: () => Promise.reject(new TypeError("password=hunter2")) });
    const answer = await callInMemory(app, { target: SAY, headers: GRPC, body: [request()] });
    expect(answer.headers["grpc-status"]).toBe("13");
    expect(JSON.stringify(answer.headers)).not.toContain("hunter2");
    expect(Buffer.from(String(answer.headers["grpc-status-details-bin"]), "base64").toString()).not.toContain(
      "hunter2",
    );
  });

  it("streams messages and ends with trailers", async () => {
    const app = router({
      repeat: ({ text, times }) => streamOf(Array.from({ length: times }, () => echo({ text }))),
    });
    const body = [request(echo({ text: "again", times: 3 }))];
    const answer = await callInMemory(app, { target: REPEAT, headers: GRPC, body });
    expect(envelopes(answer.body).map(({ message }) => fromBinary(EchoSchema, message))).toMatchObject(
      Array.from({ length: 3 }, () => ({ text: "again" })),
    );
    expect(answer.trailers).toEqual({ "grpc-status": "0" });
  });

  it("ends a stream with its error: behind messages in trailers, without any in the header block", async () => {
    const error = gatewayError("GATEWAY_DRAINING", "going", { retryDelayMs: 10 });
    const app = router({
      repeat: ({ times }) =>
        streamOf(
          Array.from({ length: times }, () => echo({})),
          { error },
        ),
    });
    const begun = await callInMemory(app, {
      target: REPEAT,
      headers: GRPC,
      body: [request(echo({ times: 1 }))],
    });
    expect(begun.headers["grpc-status"]).toBeUndefined();
    expect(begun.trailers).toMatchObject({ "grpc-status": "14", "grpc-retry-pushback-ms": "10" });
    const bare = await callInMemory(app, {
      target: REPEAT,
      headers: GRPC,
      body: [request(echo({ times: 0 }))],
    });
    expect(bare.headersOnly).toBe(true);
    expect(bare.headers).toMatchObject({ "grpc-status": "14", "grpc-retry-pushback-ms": "10" });
  });
});
