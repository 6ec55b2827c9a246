import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { findCompression, negotiateCompression } from "../../src/rpc/compression.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { cpuMs } from "../support/cpu-time.ts";
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
import { startTestGateway } from "../support/test-gateway.ts";

describe("negotiateCompression()", () => {
  const response = (accepted: string) => negotiateCompression(undefined, accepted, "h").response?.name;

  it("takes the first coding of the caller's that is known", () => {
    expect(response("identity, deflate, gzip")).toBe("gzip");
    expect(response("br,gzip")).toBe("br");
    expect(response("gzip, deflate, br")).toBe("gzip");
    expect(response("zstd")).toBeUndefined();
    expect(response("gzip;q=0, br;q=0.5")).toBe("br");
    expect(response("gzip;q=0.000")).toBeUndefined();
  });

  it("answers as it was asked when nothing is said", () => {
    expect(negotiateCompression("gzip", undefined, "h").response?.name).toBe("gzip");
    expect(negotiateCompression("identity", undefined, "h").response).toBeUndefined();
  });

  it("says what is known when it is asked for something else", () => {
    const { problem } = negotiateCompression("lzma", undefined, "grpc-accept-encoding");
    expect(problem?.code).toBe(Code.Unimplemented);
    expect(problem?.metadata.get("grpc-accept-encoding")).toBe("gzip,br");
  });

  it("remembers only so many headers, whatever callers send", () => {
    for (let i = 0; i < 1_000; i++) expect(response(`x${i}, gzip`)).toBe("gzip");
  });
});

describe.each([
  ["gzip", gzipSync, gunzipSync],
  ["br", brotliCompressSync, brotliDecompressSync],
])("%s", (name, compress, decompress) => {
  const compression = findCompression(name);

  it("inflates up to the limit and not a byte more", () => {
    const plain = Buffer.alloc(1_000, "a");
    expect(Buffer.from(compression?.decompress(compress(plain), 1_000) ?? [])).toEqual(plain);
    expect(() => compression?.decompress(compress(plain), 999)).toThrowError(
      expect.objectContaining({ code: Code.ResourceExhausted }),
    );
  });

  it("refuses what is not of this coding, and what is cut", () => {
    for (const bytes of [
      Buffer.from("plain text"),
      compress(Buffer.from("cut off in the middle")).subarray(0, 12),
    ])
      expect(() => compression?.decompress(bytes, 1_000)).toThrowError(ConnectError);
  });

  it("compresses what others can inflate", async () => {
    const plain = Buffer.from("compressible ".repeat(100));
    expect(decompress((await compression?.compress(plain)) ?? Buffer.alloc(0))).toEqual(plain);
  });

  it("goes both ways through every protocol", async () => {
    const app = createRouter(
      [
        echoService({
          say: ({ text }) => echo({ text: text.repeat(2) }),
          repeat: ({ text }) => streamOf([echo({ text: "small" }), echo({ text: text.repeat(2) })]),
        }),
      ],
      { registry: echoRegistry },
    );
    const text = "x".repeat(6_000);
    const message = compress(encode(EchoSchema, echo({ text }), "proto"));
    const large = encode(EchoSchema, echo({ text: text.repeat(2) }), "proto");
    const inflate = ({ flags, message }: { flags: number; message: Buffer }) =>
      flags & 1 ? decompress(message) : message;

    const grpc = { "content-type": "application/grpc", "grpc-encoding": name, "grpc-accept-encoding": name };
    const unary = await callInMemory(app, { target: SAY, headers: grpc, body: [envelope(1, message)] });
    expect(unary.headers["grpc-encoding"]).toBe(name);
    expect(envelopes(unary.body).map(inflate)).toEqual([large]);

    const stream = await callInMemory(app, { target: REPEAT, headers: grpc, body: [envelope(1, message)] });
    expect(envelopes(stream.body).map(({ flags }) => flags)).toEqual([0, 1]);
    expect(envelopes(stream.body).map(inflate)[1]).toEqual(large);

    const web = { ...grpc, "content-type": "application/grpc-web" };
    const webAnswer = await callInMemory(app, { target: SAY, headers: web, body: [envelope(1, message)] });
    expect(envelopes(webAnswer.body).map(inflate)[0]).toEqual(large);

    const connect = {
      "content-type": "application/proto",
      "content-encoding": name,
      "accept-encoding": name,
    };
    const plain = await callInMemory(app, { target: SAY, headers: connect, body: [message] });
    expect(plain.headers["content-encoding"]).toBe(name);
    expect(decompress(plain.body)).toEqual(large);

    const codings = { "connect-content-encoding": name, "connect-accept-encoding": name };
    const streaming = { "content-type": "application/connect+proto", ...codings };
    const connectStream = await callInMemory(app, {
      target: REPEAT,
      headers: streaming,
      body: [envelope(1, message)],
    });
    expect(envelopes(connectStream.body).map(inflate)[1]).toEqual(large);
  });
});

/** How each protocol names the coding of a request, and what it accepts. */
const PROTOCOLS = [
  ["application/grpc", SAY, "grpc-encoding", "grpc-accept-encoding"],
  ["application/grpc-web", SAY, "grpc-encoding", "grpc-accept-encoding"],
  ["application/proto", SAY, "content-encoding", "accept-encoding"],
  ["application/connect+proto", REPEAT, "connect-content-encoding", "connect-accept-encoding"],
] as const;

describe.each(PROTOCOLS)("a call of %s", (contentType, target, encodingHeader, acceptHeader) => {
  const app = createRouter(
    [echoService({ say: (message) => message, repeat: ({ text }) => streamOf([echo({ text })]) })],
    { registry: echoRegistry },
  );
  const call = (coding: string, body: Buffer) =>
    callInMemory(app, {
      target,
      headers: { "content-type": contentType, [encodingHeader]: coding },
      body: [body],
    });

  it("in a coding that is not known is told which ones are", async () => {
    const { headers, body, trailers } = await call("lzma", envelope(1, Buffer.from("x")));
    const answer = `${JSON.stringify({ ...headers, ...trailers })} ${body.toString()}`;
    expect(answer).toContain(acceptHeader);
    expect(answer).toContain("gzip,br");
  });

  it("whose message is empty is not inflated, whatever its headers say", async () => {
    const enveloped = contentType !== "application/proto";
    const empty = (flags: number) => (enveloped ? envelope(flags, Buffer.alloc(0)) : Buffer.alloc(0));
    const { body, trailers } = await call("identity", empty(0));
    for (const coding of ["gzip", "br"])
      expect(await call(coding, empty(1))).toMatchObject({
        status: 200,
        body,
        ...(trailers && { trailers }),
      });
  });
});

describe("compressMinBytes", () => {
  const app = createRouter([echoService({ say: (message) => message })], {
    registry: echoRegistry,
    limits: { compressMinBytes: 100 },
  });
  const headers = { "content-type": "application/json", "accept-encoding": "gzip" };
  const say = (length: number) =>
    callInMemory(app, {
      target: SAY,
      headers,
      body: [Buffer.from(JSON.stringify({ text: "x".repeat(length) }))],
    });

  it("leaves small answers alone", async () => {
    expect((await say(100 - 12)).headers["content-encoding"]).toBeUndefined();
    expect((await say(100 - 11)).headers["content-encoding"]).toBe("gzip");
  });

  it("is what `compress_min_bytes` says", async () => {
    const check = async (flags: Record<string, string>) => {
      const gateway = await startTestGateway("http://127.0.0.1:9", flags);
      const answer = await fetch(`http://${gateway.address}/grpc.health.v1.Health/Check`, {
        method: "POST",
        headers: { ...headers, connection: "close" },
        body: "{}",
      });
      expect(await answer.json()).toEqual({ status: "SERVING" });
      await gateway.drain();
      return answer.headers.get("content-encoding");
    };
    expect(await check({})).toBeNull();
    expect(await check({ compress_min_bytes: "10" })).toBe("gzip");
    expect(await check({ compress_min_bytes: "1000" })).toBeNull();
  });
});

describe("brotli", () => {
  const WINDOWS = Array.from({ length: 15 }, (_, at) => 10 + at);
  const compress = (message: Uint8Array, window: number, quality = 9) =>
    brotliCompressSync(message, {
      params: { [constants.BROTLI_PARAM_LGWIN]: window, [constants.BROTLI_PARAM_QUALITY]: quality },
    });
  const inflate = (message: Uint8Array, limit: number) =>
    findCompression("br")?.decompress(message, limit) ?? new Uint8Array();

  it.each(WINDOWS)("of a window of 2^%d bytes is read up to the limit, to the byte", (window) => {
    const words = "the time of a government is not within this that the people of the world know. ";
    for (const limit of [100, 16_384, 262_128, 262_129, 1_000_000])
      for (const text of [words.repeat(limit / words.length + 1), words.split("").reverse().join("")])
        for (const quality of [1, 5, 11]) {
          const message = Buffer.from(text).subarray(0, limit);
          const sent = compress(message, window, limit > 16_384 ? 5 : quality);
          const before = Buffer.from(sent);
          expect(Buffer.from(inflate(sent, limit)).equals(message)).toBe(true);
          expect(sent.equals(before)).toBe(true);
        }
  });

  it("of 14 bytes that would be 16 MiB is refused without filling the window that it asks for", () => {
    const bomb = compress(Buffer.alloc(2 ** 24), 24);
    expect(bomb.length).toBeLessThan(20);
    const took = cpuMs(() => {
      for (let call = 0; call < 100; call++) expect(() => inflate(bomb, 16_384)).toThrow("larger than 16384");
    });
    expect(took).toBeLessThan(1_000);
  });
});
