import { Code, ConnectError } from "@connectrpc/connect";
import { credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatewayError } from "../../src/errors/reasons.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { HTTP2_NAMES } from "../support/carriers.ts";
import { EchoSchema, echo, echoRegistry, echoService, SAY } from "../support/echo-service.ts";
import { encode } from "../support/encode-request.ts";

/** gRFC A6: what a client does that was told to retry. */
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.01s",
        maxBackoff: "0.01s",
        backoffMultiplier: 1,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
});

describe.each(HTTP2_NAMES)("grpc-js with a retry policy before %s HTTP/2", (http2) => {
  let listener: Listener;
  const attempts: number[] = [];
  let answer: (attempt: number) => ReturnType<typeof echo>;
  beforeAll(async () => {
    const say = () => {
      attempts.push(performance.now());
      return answer(attempts.length);
    };
    listener = await startListener(
      { listen: "127.0.0.1:0", http2 },
      createRouter([echoService({ say })], { registry: echoRegistry }),
    );
  });
  afterAll(() => listener.close());

  async function call(): Promise<{ code: number } | undefined> {
    attempts.length = 0;
    const Client = makeGenericClientConstructor({}, "Echo");
    const client = new Client(listener.address, credentials.createInsecure(), {
      "grpc.service_config": SERVICE_CONFIG,
    });
    const identity = (bytes: Buffer) => bytes;
    const body = encode(EchoSchema, echo({ text: "x" }), "proto");
    const error = await new Promise<{ code: number } | null>((resolve) =>
      client.makeUnaryRequest(SAY, identity, identity, body, (error) => resolve(error)),
    );
    client.close();
    return error ?? undefined;
  }

  it("makes all its attempts at an UNAVAILABLE", async () => {
    answer = () => {
      throw new ConnectError("not now", Code.Unavailable);
    };
    expect(await call()).toMatchObject({ code: 14 });
    expect(attempts).toHaveLength(4);
  });

  it("succeeds when an attempt does", async () => {
    answer = (attempt) => {
      if (attempt < 3) throw gatewayError("UPSTREAM_UNAVAILABLE", "not now");
      return echo({});
    };
    expect(await call()).toBeUndefined();
    expect(attempts).toHaveLength(3);
  });

  it("waits as long as RetryInfo says", async () => {
    answer = (attempt) => {
      if (attempt === 1) throw gatewayError("UPSTREAM_UNAVAILABLE", "not now", { retryDelayMs: 400 });
      return echo({});
    };
    expect(await call()).toBeUndefined();
    expect(attempts).toHaveLength(2);
    expect((attempts[1] ?? 0) - (attempts[0] ?? 0)).toBeGreaterThanOrEqual(395);
  });

  it("makes one attempt at an UNAVAILABLE that would only come again", async () => {
    answer = () => {
      throw gatewayError("UPSTREAM_TLS_FAILED", "the certificate is not trusted here");
    };
    expect(await call()).toMatchObject({ code: 14 });
    expect(attempts).toHaveLength(1);
  });

  it("makes one attempt at anything else", async () => {
    answer = () => {
      throw new ConnectError("no", Code.FailedPrecondition);
    };
    expect(await call()).toMatchObject({ code: 9 });
    expect(attempts).toHaveLength(1);
  });
});
