import { fromBinary, type Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { gatewayError } from "../../src/errors/reasons.ts";
import type { Receiver, TransportCall } from "../../src/listen/transport.ts";
import type { ResponseStream } from "../../src/rpc/handler.ts";
import type { CallLimits } from "../../src/rpc/limits.ts";
import { createRouter } from "../../src/rpc/router.ts";
import {
  type Echo,
  EchoSchema,
  echo,
  echoRegistry,
  echoService,
  REPEAT,
  SAY,
} from "../support/echo-service.ts";
import { encode, envelope, envelopes } from "../support/encode-request.ts";
import { callInMemory } from "../support/in-memory.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A source that holds the newest value only, as a watch does. */
class Latest implements ResponseStream {
  end: { readonly error?: ConnectError } | undefined;
  closedWith: ConnectError | undefined;
  pulled = 0;
  #value: Echo | undefined;
  #wake = () => {};

  open(wake: () => void): void {
    this.#wake = wake;
  }

  pull(): Message | undefined {
    const value = this.#value;
    this.#value = undefined;
    if (value) this.pulled++;
    return value;
  }

  close(why: ConnectError): void {
    this.closedWith = why;
  }

  put(text: string): void {
    this.#value = echo({ text });
    this.#wake();
  }

  finish(error?: ConnectError): void {
    this.end = error ? { error } : {};
    this.#wake();
  }
}

/** A carrier whose reader takes a write only when it is told to. */
class SlowCarrier implements TransportCall {
  readonly httpVersion = "2";
  readonly verb = "POST";
  readonly target = REPEAT;
  readonly authority = "localhost";
  readonly secure = false;
  readonly peer = "slow";
  readonly headers = { "content-type": "application/grpc" };
  readonly writes: string[] = [];
  readonly events: string[] = [];
  #receiver: Receiver | undefined;

  receive(receiver: Receiver): void {
    this.#receiver = receiver;
  }
  pause(): void {}
  resume(): void {}
  answer(_status: number, headers: Readonly<Record<string, unknown>>): void {
    this.events.push(`answer ${headers["grpc-status"]}`);
  }
  begin(): void {
    this.events.push("begin");
  }
  write(chunk: Uint8Array): boolean {
    this.writes.push(
      ...envelopes(chunk).map(({ message }) => (fromBinary(EchoSchema, message) as Echo).text),
    );
    return false;
  }
  end(trailers?: Readonly<Record<string, unknown>>): void {
    this.events.push(`end ${trailers?.["grpc-status"]}`);
  }
  reset(code: string): void {
    this.events.push(`reset ${code}`);
  }
  ask(): void {
    this.#receiver?.data(envelope(0, encode(EchoSchema, echo({}), "proto")));
    this.#receiver?.complete();
  }
  take(): void {
    this.#receiver?.drained();
  }
  leave(): void {
    this.#receiver?.closed(false);
  }
}

function setUp(limits: Partial<CallLimits> = {}) {
  const clock = new ManualClock();
  const source = new Latest();
  const app = createRouter([echoService({ repeat: () => source, say: (message) => message })], {
    registry: echoRegistry,
    clock,
    limits,
  });
  const carrier = new SlowCarrier();
  app(carrier);
  carrier.ask();
  return { app, carrier, source, clock };
}

describe("a server stream", () => {
  it("takes the newest message when the caller has taken the last one, and no other", () => {
    const { carrier, source } = setUp();
    for (const text of ["1", "2", "3", "4"]) source.put(text);
    expect(carrier.writes).toEqual(["1"]);
    carrier.take();
    expect(carrier.writes).toEqual(["1", "4"]);
    carrier.take();
    expect(source.pulled).toBe(2);
    source.put("5");
    expect(carrier.writes).toEqual(["1", "4", "5"]);
  });

  it("writes messages that wait together in one go, up to a bound", async () => {
    const left = Array.from({ length: 40 }, (_, at) => echo({ text: `${at}`, data: new Uint8Array(1_000) }));
    const source: ResponseStream = {
      open() {},
      pull: () => left.shift(),
      get end() {
        return left.length === 0 ? {} : undefined;
      },
      close() {},
    };
    const app = createRouter([echoService({ repeat: () => source })], { registry: echoRegistry });
    const carrier = new SlowCarrier();
    app(carrier);
    carrier.ask();
    expect(carrier.writes).toHaveLength(17);
    carrier.take();
    expect(carrier.writes).toHaveLength(34);
    carrier.take();
    carrier.take();
    expect(carrier.writes).toHaveLength(40);
    expect(carrier.events.at(-1)).toBe("end 0");
  });

  it("sends no header block before its first message, so that an early end is Trailers-Only", () => {
    const { carrier, source } = setUp();
    expect(carrier.events).toEqual([]);
    source.finish(gatewayError("GATEWAY_OVERLOADED", "full"));
    expect(carrier.events).toEqual(["answer 8"]);
  });

  it("is reset when its caller leaves a message lying, and its source is closed", async () => {
    const { carrier, source, clock, app } = setUp();
    source.put("unread");
    await clock.advance(29_000);
    expect(carrier.events).toEqual(["begin"]);
    await clock.advance(7_000);
    expect(carrier.events).toContain("reset ENHANCE_YOUR_CALM");
    expect(source.closedWith?.code).toBe(Code.ResourceExhausted);
    expect(app.openCalls).toBe(0);
  });

  it("counts as unread what its caller has not taken, and nothing of what it sent before", async () => {
    const { app, carrier, source } = setUp({ unsentBytes: 100 });
    const answersNow = async (): Promise<unknown> => {
      const body = [envelope(0, encode(EchoSchema, echo({}), "proto"))];
      const headers = { "content-type": "application/grpc" };
      const answer = await callInMemory(app, { target: SAY, headers, body });
      return answer.trailers?.["grpc-status"] ?? answer.headers["grpc-status"];
    };
    for (let message = 0; message < 10; message++) {
      source.put("x".repeat(50));
      carrier.take();
    }
    source.finish();
    expect(carrier.events).toEqual(["begin", "end 0"]);
    expect(await answersNow()).toBe("0");
    carrier.leave();

    source.end = undefined;
    const other = new SlowCarrier();
    app(other);
    other.ask();
    source.put("y".repeat(200));
    app.endStreams(() => gatewayError("GATEWAY_DRAINING", "going"));
    expect(await answersNow()).toBe(String(Code.ResourceExhausted));
    other.leave();
    expect(await answersNow()).toBe("0");
  });

  it("may be silent for hours when everything was taken", async () => {
    const { carrier, source, clock } = setUp();
    source.put("1");
    carrier.take();
    await clock.advance(7_200_000);
    expect(clock.pending).toBe(0);
    source.put("2");
    expect(carrier.writes).toEqual(["1", "2"]);
  });

  it("closes its source when the caller leaves", () => {
    const { carrier, source, app } = setUp();
    carrier.leave();
    expect(source.closedWith?.code).toBe(Code.Canceled);
    expect(app.openCalls).toBe(0);
    source.put("nobody hears it");
    expect(carrier.writes).toEqual([]);
  });

  it("is ended by the router, with its error, while unary calls go on", async () => {
    const { app, carrier, source } = setUp();
    source.put("1");
    carrier.take();
    app.endStreams(() => gatewayError("GATEWAY_DRAINING", "going", { retryDelayMs: 1_000 }));
    expect(carrier.events).toEqual(["begin", "end 14"]);
    expect(source.closedWith?.code).toBe(Code.Unavailable);
    const body = [envelope(0, encode(EchoSchema, echo({ text: "x" }), "proto"))];
    const answer = await callInMemory(app, {
      target: SAY,
      headers: { "content-type": "application/grpc" },
      body,
    });
    expect(answer.trailers).toEqual({ "grpc-status": "0" });
  });

  it("answers what its handler or its source throws", async () => {
    for (const repeat of [
      () => {
        throw gatewayError("FIELD_INVALID", "no");
      },
      () => ({
        open() {},
        pull: () => {
          throw gatewayError("FIELD_INVALID", "no");
        },
        end: undefined,
        close() {},
      }),
    ]) {
      const app = createRouter([echoService({ repeat })], { registry: echoRegistry });
      const carrier = new SlowCarrier();
      app(carrier);
      carrier.ask();
      expect(carrier.events).toEqual(["answer 3"]);
    }
  });
});

describe("an answer that has its bytes already", () => {
  it("is written as it is, in the codec of the caller", async () => {
    const encoded = {
      encoded: true as const,
      schema: EchoSchema,
      toBinary: () => encode(EchoSchema, echo({ text: "binary" }), "proto"),
      toJson: () => Buffer.from('{ "text": "as it came" }'),
      toMessage: () => echo({ text: "message" }),
    };
    for (const allThroughConnectEs of [false, true]) {
      const app = createRouter([echoService({ say: () => encoded })], {
        registry: echoRegistry,
        allThroughConnectEs,
      });
      const answer = await callInMemory(app, {
        target: SAY,
        headers: { "content-type": "application/json" },
        body: [Buffer.from("{}")],
      });
      expect(answer.body.toString()).toBe(
        allThroughConnectEs ? '{"text":"message"}' : '{ "text": "as it came" }',
      );
    }
  });
});
