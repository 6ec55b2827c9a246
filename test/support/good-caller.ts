import { Agent } from "node:http";
import { type DescMethodUnary, toBinary } from "@bufbuild/protobuf";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect } from "vitest";
import { type Echo, EchoSchema, EchoService, echo } from "./echo-service.ts";

/**
 * Callers who behave: one call after the other over gRPC, and over Connect on HTTP/1.1, while something bad goes on.
 */
export class GoodCaller {
  #calls = 0;
  #running = true;
  readonly #done: Promise<unknown>;
  readonly #http1 = new Agent({ keepAlive: true });
  readonly #http2: Http2SessionManager;
  readonly #latencies: number[] = [];
  #started: () => void = () => {};
  /** Resolves with the first answer on each of the connections. */
  readonly started: Promise<void>;

  constructor(url: string) {
    this.#http2 = new Http2SessionManager(url);
    const transports = [
      createGrpcTransport({ baseUrl: url, sessionManager: this.#http2 }),
      createConnectTransport({ baseUrl: url, httpVersion: "1.1", nodeOptions: { agent: this.#http1 } }),
    ];
    let waiting = transports.length;
    this.started = new Promise((resolve) => {
      this.#started = () => {
        if (--waiting === 0) resolve();
      };
    });
    this.#done = Promise.all(transports.map((transport) => this.#callOn(transport)));
    // Looked at in stop(); until then a failure must not end the process.
    this.#done.catch(() => {});
  }

  /** How long the middle one of the calls took, in milliseconds. */
  get medianMs(): number {
    return this.#latencies.sort((a, b) => a - b)[this.#latencies.length >> 1] ?? 0;
  }

  /**
   * Waits until there were `least` calls, ends them and their connections, and says how many there were. Throws when
   * one of them failed or was answered wrong.
   */
  async stop(least = 4): Promise<number> {
    try {
      while (this.#calls < least) {
        await Promise.race([new Promise((resolve) => setTimeout(resolve, 5)), this.#done]);
      }
      this.#running = false;
      await this.#done;
    } finally {
      this.#running = false;
      this.#http1.destroy();
      this.#http2.abort();
    }
    return this.#calls;
  }

  async #callOn(transport: ReturnType<typeof createGrpcTransport>): Promise<void> {
    const method = EchoService.method["say"] as DescMethodUnary;
    for (let first = true; this.#running; first = false) {
      const text = `call ${this.#calls}`;
      const start = performance.now();
      const answer = await transport.unary(method, undefined, 10_000, undefined, { text });
      expect((answer.message as Echo).text).toBe(text);
      this.#calls++;
      if (first) this.#started();
      this.#latencies.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

/** The bytes of a gRPC request body with this message. */
export function grpcBody(fields: Parameters<typeof echo>[0]): Buffer {
  const message = toBinary(EchoSchema, echo(fields));
  const body = Buffer.alloc(5 + message.length);
  body.writeUInt32BE(message.length, 1);
  body.set(message, 5);
  return body;
}
