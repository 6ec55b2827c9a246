import { brotliCompressSync, gzipSync } from "node:zlib";
import {
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  fromJsonString,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { credentials, Metadata as GrpcMetadata, makeGenericClientConstructor } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { gatewayError } from "../../src/errors/reasons.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createRouter, type RouterOptions } from "../../src/rpc/router.ts";
import { CARRIERS } from "../support/carriers.ts";
import {
  type Echo,
  EchoSchema,
  EchoService,
  echo,
  echoRegistry,
  echoService,
  LOOK,
  REPEAT,
  SAY,
  streamOf,
} from "../support/echo-service.ts";
import { encode, envelope, envelopes } from "../support/encode-request.ts";

const say = EchoService.method["say"] as DescMethodUnary;
const repeat = EchoService.method["repeat"] as DescMethodServerStreaming;
const look = EchoService.method["look"] as DescMethodUnary;
const missing = EchoService.method["missing"] as DescMethodUnary;

const service = echoService({
  say: async (message, call) => {
    call.responseHeader.set("x-seen", call.header("x-sent") ?? "nothing");
    call.responseTrailer.set("x-end", "there");
    if (message.text === "fail")
      throw gatewayError("GATEWAY_OVERLOADED", "so nicht. ü % \n", {
        retryDelayMs: 2_000,
        metadata: { a: "b" },
      });
    if (message.text === "slow") await new Promise((resolve) => setTimeout(resolve, 10_000).unref());
    return message;
  },
  look: (message) => message,
  repeat: ({ text, times, data }) =>
    streamOf(
      Array.from({ length: times }, (_, at) => echo({ text: `${text} ${at}`, data })),
      text === "fail" ? { error: new ConnectError("broken", Code.DataLoss) } : {},
    ),
});

const large = new Uint8Array(12_000).map((_, at) => at % 7);

/** Every combination is served by both ways; what a client sees must be the same. */
const WAYS: Record<string, Partial<RouterOptions>> = {
  "the lean path": {},
  "connect-es' handlers": { allThroughConnectEs: true },
};

describe.each(
  Object.entries(WAYS).flatMap(([way, options]) =>
    CARRIERS.map(([name, carriers]) => [`${way} over ${name}`, options, carriers] as const),
  ),
)("%s serves", (_way, options, carriers) => {
  let listener: Listener;
  let url: string;
  beforeAll(async () => {
    listener = await startListener(
      { listen: "127.0.0.1:0", ...carriers },
      createRouter([service], { registry: echoRegistry, ...options }),
    );
    url = `http://${listener.address}`;
  });
  afterAll(() => listener.close());

  // At once, since each waits for a deadline.
  describe.concurrent("connect-node's", () => {
    const transports: Record<string, (options: Parameters<typeof createConnectTransport>[0]) => Transport> = {
      gRPC: (options) => createGrpcTransport(options as Parameters<typeof createGrpcTransport>[0]),
      "gRPC-Web": (options) =>
        createGrpcWebTransport(options as Parameters<typeof createGrpcWebTransport>[0]),
      Connect: createConnectTransport,
    };
    for (const [protocol, createTransport] of Object.entries(transports))
      for (const httpVersion of ["1.1", "2"] as const)
        for (const useBinaryFormat of [true, false])
          for (const compression of [undefined, compressionGzip, compressionBrotli]) {
            const name = `${protocol}, HTTP/${httpVersion}, ${useBinaryFormat ? "binary" : "JSON"}, ${compression?.name ?? "identity"}`;
            it(name, async () => {
              const transport: Transport = createTransport({
                baseUrl: url,
                httpVersion,
                useBinaryFormat,
                sendCompression: compression ?? null,
                acceptCompression: compression ? [compression] : [],
                compressMinBytes: 0,
              } as Parameters<typeof createConnectTransport>[0]);
              await expectAll(transport);
            });
          }
  });

  /** What must hold for any client: messages, metadata, errors with details, deadlines, streams. */
  async function expectAll(transport: Transport): Promise<void> {
    const headers = { "x-sent": "yes" };
    const answer = await transport.unary(say, undefined, undefined, headers, { text: "größer", data: large });
    expect((answer.message as Echo).text).toBe("größer");
    expect(Buffer.from((answer.message as Echo).data).equals(large)).toBe(true);
    expect(answer.header.get("x-seen")).toBe("yes");
    expect(answer.trailer.get("x-end")).toBe("there");

    const empty = await transport.unary(say, undefined, undefined, undefined, {});
    expect((empty.message as Echo).text).toBe("");

    const failed = transport.unary(say, undefined, undefined, headers, { text: "fail" });
    const error = await failed.then(
      () => undefined,
      (error: unknown) => ConnectError.from(error),
    );
    expect(error).toMatchObject({ code: Code.ResourceExhausted, rawMessage: "so nicht. ü % \n" });
    expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "GATEWAY_OVERLOADED", metadata: { a: "b" } },
    ]);
    expect(error?.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(2n);
    expect(error?.metadata.get("x-seen")).toBe("yes");

    await expect(transport.unary(say, undefined, 60, undefined, { text: "slow" })).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
    });
    await expect(transport.unary(missing, undefined, undefined, undefined, {})).rejects.toMatchObject({
      code: Code.Unimplemented,
    });

    const texts: string[] = [];
    const stream = await transport.stream(
      repeat,
      undefined,
      undefined,
      undefined,
      once({ text: "a", times: 3, data: large }),
    );
    for await (const message of stream.message) texts.push((message as Echo).text);
    expect(texts).toEqual(["a 0", "a 1", "a 2"]);

    for (const times of [0, 2]) {
      const broken = await transport
        .stream(repeat, undefined, undefined, undefined, once({ text: "fail", times }))
        .then(async ({ message }) => {
          for await (const _ of message);
        })
        .catch((error: unknown) => error);
      expect(broken).toMatchObject({ code: Code.DataLoss, rawMessage: "broken" });
    }
  }

  it("Connect GET, in both codecs", async () => {
    for (const useBinaryFormat of [true, false]) {
      const transport = createConnectTransport({
        baseUrl: url,
        httpVersion: "1.1",
        useHttpGet: true,
        useBinaryFormat,
      });
      const { message } = await transport.unary(look, undefined, undefined, undefined, { text: "größer" });
      expect((message as Echo).text).toBe("größer");
    }
    expect((await fetch(`${url}${LOOK}?encoding=json&message=%7B%7D`)).status).toBe(200);
    expect((await fetch(`${url}${SAY}?encoding=json&message=%7B%7D`)).status).toBe(405);
  });

  it("grpc-js, whose unary errors carry details and metadata", async () => {
    const Client = makeGenericClientConstructor({}, "Echo");
    const client = new Client(listener.address, credentials.createInsecure());
    const identity = (bytes: Buffer) => bytes;
    const metadata = new GrpcMetadata();
    metadata.set("x-sent", "yes");
    const body = encode(EchoSchema, echo({ text: "x", data: large }), "proto");
    const answer = await new Promise<Buffer>((resolve, reject) =>
      client.makeUnaryRequest(SAY, identity, identity, body, metadata, (error, value) =>
        error || !value ? reject(error) : resolve(value),
      ),
    );
    expect(answer).toEqual(body);
    const failing = encode(EchoSchema, echo({ text: "fail" }), "proto");
    const error = await new Promise((resolve) =>
      client.makeUnaryRequest(SAY, identity, identity, failing, metadata, (error) => resolve(error)),
    );
    expect(error).toMatchObject({ code: 8, details: "so nicht. ü % \n" });
    const received: Buffer[] = [];
    const stream = client.makeServerStreamRequest(
      REPEAT,
      identity,
      identity,
      encode(EchoSchema, echo({ text: "a", times: 3 }), "proto"),
    );
    for await (const message of stream) received.push(message as Buffer);
    expect(received.map((bytes) => (fromBinary(EchoSchema, bytes) as Echo).text)).toEqual([
      "a 0",
      "a 1",
      "a 2",
    ]);
    client.close();
  });

  it("fetch, with compressed bodies", async () => {
    const body = Buffer.from(JSON.stringify({ text: "x".repeat(9_000) }));
    for (const [coding, compress] of [
      ["gzip", gzipSync],
      ["br", brotliCompressSync],
    ] as const) {
      const headers = {
        "content-type": "application/json",
        "content-encoding": coding,
        "accept-encoding": coding,
      };
      const answer = await fetch(url + SAY, { method: "POST", headers, body: compress(body) });
      expect(answer.headers.get("content-encoding")).toBe(coding);
      expect((fromJsonString(EchoSchema, await answer.text()) as Echo).text).toHaveLength(9_000);
    }
    const streamed = await fetch(url + REPEAT, {
      method: "POST",
      headers: { "content-type": "application/connect+json" },
      body: envelope(0, Buffer.from('{"text":"a","times":1}')),
    });
    const parts = envelopes(new Uint8Array(await streamed.arrayBuffer()));
    expect(parts.map(({ flags }) => flags)).toEqual([0, 2]);
  });
});

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
