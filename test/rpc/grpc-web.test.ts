import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gatewayError } from "../../src/errors/reasons.ts";
import { createRouter } from "../../src/rpc/router.ts";
import {
  EchoSchema,
  echo,
  echoRegistry,
  echoService,
  REPEAT,
  SAY,
  streamOf,
} from "../support/echo-service.ts";
import { encode, envelope, envelopes } from "../support/encode-request.ts";
import { callInMemory } from "../support/in-memory.ts";

const app = createRouter(
  [
    echoService({
      say: (message, call) => {
        if (message.text !== "fail") return message;
        call.responseTrailer.set("x-tail", "end");
        throw gatewayError("GATEWAY_OVERLOADED", "full\r\n", { retryDelayMs: 1_001 });
      },
      repeat: ({ text, times }) => streamOf(Array.from({ length: times }, () => echo({ text }))),
    }),
  ],
  { registry: echoRegistry },
);

function request(text: string, times = 0) {
  return envelope(0, encode(EchoSchema, echo({ text, times }), "proto"));
}

describe("gRPC-Web", () => {
  it("answers with the message and the trailers in the body", async () => {
    const headers = { "content-type": "application/grpc-web" };
    const answer = await callInMemory(app, { target: SAY, headers, body: [request("hello")] });
    expect(answer).toMatchObject({ status: 200, headers: { "content-type": "application/grpc-web+proto" } });
    expect(answer.trailers).toBeUndefined();
    const [message, trailers] = envelopes(answer.body);
    expect(message?.flags).toBe(0);
    expect(trailers?.flags).toBe(0x80);
    expect(trailers?.message.toString()).toBe("grpc-status: 0\r\n");
  });

  it("answers an error in the trailers of the body, and says in a header when to try again", async () => {
    const headers = { "content-type": "application/grpc-web+proto" };
    const answer = await callInMemory(app, { target: SAY, headers, body: [request("fail")] });
    expect(answer.status).toBe(200);
    expect(answer.headers["retry-after"]).toBe("2");
    const [trailers, ...others] = envelopes(answer.body);
    expect(others).toEqual([]);
    const lines = trailers?.message.toString().split("\r\n");
    expect(lines).toContain("grpc-status: 8");
    expect(lines).toContain("grpc-message: full%0D%0A");
    expect(lines).toContain("grpc-retry-pushback-ms: 1001");
    expect(lines).toContain("x-tail: end");
  });

  it("streams messages", async () => {
    const headers = { "content-type": "application/grpc-web+json" };
    const body = [envelope(0, Buffer.from('{"text":"a","times":2}'))];
    const answer = await callInMemory(app, { target: REPEAT, headers, body });
    expect(envelopes(answer.body).map(({ message }) => message.toString())).toEqual([
      '{"text":"a"}',
      '{"text":"a"}',
      "grpc-status: 0\r\n",
    ]);
  });
});

describe("gRPC-Web text", () => {
  const headers = { "content-type": "application/grpc-web-text+proto" };

  it("has both bodies in base64", async () => {
    const body = [Buffer.from(request("hello").toString("base64"))];
    const answer = await callInMemory(app, { target: SAY, headers, body });
    expect(answer.headers["content-type"]).toBe("application/grpc-web-text+proto");
    const [message, trailers] = envelopes(Buffer.from(answer.body.toString(), "base64"));
    expect(fromBinary(EchoSchema, message?.message ?? new Uint8Array())).toMatchObject({ text: "hello" });
    expect(trailers?.message.toString()).toBe("grpc-status: 0\r\n");
  });

  it("reads base64 whose pieces are padded each on its own", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }),
        async (sizes) => {
          let rest = request("in any pieces");
          const pieces: string[] = [];
          for (const size of sizes) {
            pieces.push(rest.subarray(0, size).toString("base64"));
            rest = rest.subarray(size);
          }
          pieces.push(rest.toString("base64"));
          const answer = await callInMemory(app, {
            target: SAY,
            headers,
            body: [Buffer.from(pieces.join(""))],
          });
          const [message] = envelopes(Buffer.from(answer.body.toString(), "base64"));
          expect(fromBinary(EchoSchema, message?.message ?? new Uint8Array())).toMatchObject({
            text: "in any pieces",
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each(["%%%%", "AAAA AAA", "AAAAA", "AA=A", "A===", "AAA==", "====", "AA==\n", "AA-_", "é"])(
    "refuses %j, which is not base64",
    async (text) => {
      const body = [Buffer.from(text)];
      const answer = await callInMemory(app, { target: SAY, headers, body });
      const [trailers, ...others] = envelopes(Buffer.from(answer.body.toString(), "base64"));
      expect(others).toEqual([]);
      expect(trailers?.message.toString()).toContain("grpc-status: 3\r\n");
      expect(trailers?.message.toString()).toContain("not the base64 that it says it is");
    },
  );

  it("sees at once what is not base64, although there are many ways to cut it into pieces", async () => {
    const begun = performance.now();
    for (const length of [28, 30, 20_000]) {
      const body = [Buffer.from(`${"A".repeat(length)}\r\n`)];
      const answer = await callInMemory(app, { target: SAY, headers, body });
      expect(Buffer.from(answer.body.toString(), "base64").toString()).toContain("grpc-status: 3\r\n");
      expect(performance.now() - begun).toBeLessThan(1_000);
    }
  });

  it("writes each piece of a stream as base64 of its own", async () => {
    const body = [Buffer.from(request("a", 1).toString("base64"))];
    const answer = await callInMemory(app, { target: REPEAT, headers, body });
    const decoded = (answer.body.toString().match(/[^=]+=*/g) ?? []).map((piece) =>
      Buffer.from(piece, "base64"),
    );
    expect(envelopes(Buffer.concat(decoded)).length).toBe(2);
  });

  it("refuses a body above the limit", async () => {
    const body = [Buffer.alloc(30_000, "A")];
    const answer = await callInMemory(app, { target: SAY, headers, body, complete: false });
    expect(Buffer.from(answer.body.toString(), "base64").toString()).toContain("grpc-status: 8");
  });
});
