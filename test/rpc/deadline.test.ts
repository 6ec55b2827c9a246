import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Call } from "../../src/rpc/call.ts";
import { parseConnectTimeout } from "../../src/rpc/connect/timeout.ts";
import { parseGrpcTimeout } from "../../src/rpc/grpc/timeout.ts";
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
import { encode, envelope } from "../support/encode-request.ts";
import { callInMemory } from "../support/in-memory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const LONGEST = 2 ** 31 - 1;

describe("parseGrpcTimeout()", () => {
  it.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["250m", 250],
    ["1500u", 1.5],
    ["89969706u", 89_969.706],
    ["99999999n", 99.999999],
    ["0m", 0],
    ["-5S", -5_000],
    ["99999999H", LONGEST],
    ["99999999M", LONGEST],
    ["99999999S", LONGEST],
    ["99999999m", 99_999_999],
  ])("reads %s", (value, ms) => {
    const timeout = parseGrpcTimeout(value);
    expect(timeout.problem).toBeUndefined();
    expect(timeout.ms).toBeCloseTo(ms, 6);
  });

  it.each(["", "1", "S", "1s", "1.5S", "123456789S", "+1S", "1S ", " 1S", "0x1S", "1SS", "١S", "--1S"])(
    "refuses %j",
    (value) => {
      expect(parseGrpcTimeout(value).problem?.code).toBe(Code.InvalidArgument);
    },
  );

  it("takes every legal value and never overflows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999_999 }), fc.constantFrom(..."HMSmun"), (digits, unit) => {
        const { ms = Number.NaN } = parseGrpcTimeout(`${digits}${unit}`);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(LONGEST);
      }),
    );
  });
});

describe("parseConnectTimeout()", () => {
  it.each([
    ["0", 0],
    ["1", 1],
    ["-1", -1],
    ["2147483648", LONGEST],
    ["9999999999", LONGEST],
  ])("reads %s", (value, ms) => {
    expect(parseConnectTimeout(value)).toEqual({ ms });
  });

  it.each(["", "1.5", "1e3", "12345678901", "1 ", "abc", "0x10"])("refuses %j", (value) => {
    expect(parseConnectTimeout(value).problem?.code).toBe(Code.InvalidArgument);
  });
});

const forms = {
  gRPC: {
    headers: (timeout: string) => ({ "content-type": "application/grpc", "grpc-timeout": timeout }),
    body: envelope(0, encode(EchoSchema, echo({ text: "x" }), "proto")),
    short: "100m",
    code: (answer: Awaited<ReturnType<typeof callInMemory>>) => Number(answer.headers["grpc-status"]),
  },
  "gRPC-Web": {
    headers: (timeout: string) => ({ "content-type": "application/grpc-web", "grpc-timeout": timeout }),
    body: envelope(0, encode(EchoSchema, echo({ text: "x" }), "proto")),
    short: "100m",
    code: (answer: Awaited<ReturnType<typeof callInMemory>>) =>
      Number(/grpc-status: (\d+)/.exec(answer.body.toString("latin1"))?.[1]),
  },
  Connect: {
    headers: (timeout: string) => ({ "content-type": "application/json", "connect-timeout-ms": timeout }),
    body: Buffer.from('{"text":"x"}'),
    short: "100",
    code: (answer: Awaited<ReturnType<typeof callInMemory>>) =>
      ({ deadline_exceeded: 4, invalid_argument: 3 })[JSON.parse(answer.body.toString()).code as string],
  },
};

describe.each(Object.entries(forms))("a deadline over %s", (_name, { headers, body, short, code }) => {
  function setUp(say: (message: Echo, call: Call) => Echo | Promise<Echo>) {
    const clock = new ManualClock();
    return { clock, app: createRouter([echoService({ say })], { registry: echoRegistry, clock }) };
  }

  it("is answered in time when the handler does not listen", async () => {
    const { clock, app } = setUp(() => new Promise(() => {}));
    const answer = callInMemory(app, { target: SAY, headers: headers(short), body: [body] });
    await clock.advance(95);
    expect(app.openCalls).toBe(1);
    await clock.advance(15);
    expect(code(await answer)).toBe(4);
    expect(app.openCalls).toBe(0);
  });

  it("reaches listeners and signal of the handler, once, with the reason", async () => {
    const heard: ConnectError[] = [];
    let seen: Call | undefined;
    const { clock, app } = setUp((_message, call) => {
      seen = call;
      call.onEnd({ callEnded: (why) => heard.push(why) });
      call.signal.addEventListener("abort", () => heard.push(call.signal.reason));
      return new Promise(() => {});
    });
    const answer = callInMemory(app, { target: SAY, headers: headers(short), body: [body] });
    await clock.advance(1_000);
    await answer;
    expect(heard.map((why) => why.code)).toEqual([Code.DeadlineExceeded, Code.DeadlineExceeded]);
    expect(seen?.ended?.code).toBe(Code.DeadlineExceeded);
    expect(seen?.signal.aborted).toBe(true);
  });

  it("covers the arrival of the request", async () => {
    const { clock, app } = setUp((message) => message);
    const request = { target: SAY, headers: headers(short), body: [body.subarray(0, 3)], complete: false };
    const answer = callInMemory(app, request);
    await clock.advance(120);
    expect(code(await answer)).toBe(4);
  });

  it("of five seconds covers the arrival of a request that has none", async () => {
    const { clock, app } = setUp((message) => message);
    const { "content-type": type = "" } = headers("1");
    const answer = callInMemory(app, { target: SAY, headers: { "content-type": type }, complete: false });
    await clock.advance(4_900);
    expect(app.openCalls).toBe(1);
    await clock.advance(200);
    expect(code(await answer)).toBe(4);
  });

  it("that has passed already runs nothing", async () => {
    let ran = 0;
    const { app } = setUp((message) => {
      ran++;
      return message;
    });
    for (const timeout of ["0", "-1", "-99"]) {
      const value = short.replace(/\d+/, timeout);
      const answer = await callInMemory(app, { target: SAY, headers: headers(value), body: [body] });
      expect(code(answer)).toBe(4);
    }
    expect(ran).toBe(0);
  });

  it("that is malformed is refused", async () => {
    const { app } = setUp((message) => message);
    const answer = await callInMemory(app, { target: SAY, headers: headers("soon"), body: [body] });
    expect(code(answer)).toBe(3);
  });

  it("of the longest legal value neither fires at once nor overflows", async () => {
    const { clock, app } = setUp(async (message, call) => {
      expect(call.deadline).toBeGreaterThan(clock.monotonic() + 2 ** 30);
      await new Promise<void>((resolve) => clock.setTimer(60_000, resolve));
      return message;
    });
    const value = short.endsWith("m") ? "99999999H" : "9999999999";
    const answer = callInMemory(app, { target: SAY, headers: headers(value), body: [body] });
    await clock.advance(70_000);
    expect(code(await answer)).not.toBe(4);
    expect(clock.pending).toBeLessThanOrEqual(1);
  });

  it.each([
    ["shortened by the timeout of an Envoy in front", "5000", "99", 99],
    ["kept where Envoy gives it more time", "80", "15000", 80],
    ["kept where Envoy sets no limit", "80", "0", 80],
    ["kept where the header is no number", "80", "1e1", 80],
    ["the timeout of Envoy where the caller has none", undefined, "99", 99],
  ])("is %s", async (_what, own, envoy, ms) => {
    const { clock, app } = setUp(() => new Promise(() => {}));
    const { "content-type": type = "", ...timeout } = headers(short.replace(/\d+/, own ?? "1"));
    const fields = own === undefined ? { "content-type": type } : { "content-type": type, ...timeout };
    const answer = callInMemory(app, {
      target: SAY,
      headers: { ...fields, "x-envoy-expected-rq-timeout-ms": envoy },
      body: [body],
    });
    await clock.advance(ms - 5);
    expect(app.openCalls).toBe(1);
    await clock.advance(15);
    expect(code(await answer)).toBe(4);
  });

  it("leaves no timer behind when it was not needed", async () => {
    const { clock, app } = setUp((message) => message);
    await callInMemory(app, { target: SAY, headers: headers(short), body: [body] });
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });
});

describe("a deadline of a server stream", () => {
  it("is not the timeout of an Envoy in front, which cuts the stream itself", async () => {
    let seen = 0;
    const repeat = (_request: Echo, call: Call) => {
      seen = call.deadline;
      return { open() {}, pull: () => undefined, end: {}, close() {} };
    };
    const app = createRouter([echoService({ repeat })], { registry: echoRegistry, clock: new ManualClock() });
    await callInMemory(app, {
      target: REPEAT,
      headers: { "content-type": "application/grpc", "x-envoy-expected-rq-timeout-ms": "15000" },
      body: [envelope(0, encode(EchoSchema, echo({}), "proto"))],
    });
    expect(seen).toBe(Number.POSITIVE_INFINITY);
  });

  it("ends the stream with status 4 in its trailers, and closes its source", async () => {
    const clock = new ManualClock();
    const closed: number[] = [];
    const repeat = () => {
      let left = 1;
      return {
        open() {},
        pull: () => (left-- > 0 ? echo({ text: "first" }) : undefined),
        end: undefined,
        close: (why: ConnectError) => void closed.push(why.code),
      };
    };
    const app = createRouter([echoService({ repeat })], { registry: echoRegistry, clock });
    const answer = callInMemory(app, {
      target: REPEAT,
      headers: { "content-type": "application/grpc", "grpc-timeout": "1S" },
      body: [envelope(0, encode(EchoSchema, echo({}), "proto"))],
    });
    await clock.advance(1_010);
    expect((await answer).trailers).toMatchObject({ "grpc-status": "4" });
    expect(closed).toEqual([Code.DeadlineExceeded]);
  });
});
