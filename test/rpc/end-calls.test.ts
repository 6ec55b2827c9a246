import type { ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { gatewayError } from "../../src/errors/reasons.ts";
import { DEFAULT_CALL_LIMITS } from "../../src/rpc/limits.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { EchoSchema, echo, echoRegistry, echoService, SAY } from "../support/echo-service.ts";
import { encode, envelope } from "../support/encode-request.ts";
import { callInMemory } from "../support/in-memory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const REQUEST = envelope(0, encode(EchoSchema, echo({ text: "x" }), "proto"));

it("endCalls() answers every open call with UNAVAILABLE and tells its handler, however long it has run", async () => {
  const clock = new ManualClock();
  const told: ConnectError[] = [];
  const app = createRouter(
    [
      echoService({
        say: (message, call) => {
          call.onEnd({ callEnded: (why) => told.push(why) });
          return message.text === "" ? message : new Promise(() => {});
        },
      }),
    ],
    { registry: echoRegistry, clock },
  );
  const call = (headers: object, body: Buffer[], complete = true) =>
    callInMemory(app, {
      target: SAY,
      headers: { "content-type": "application/grpc", ...headers },
      body,
      complete,
    });
  const old = [call({}, [REQUEST]), call({ "grpc-timeout": "1H" }, [REQUEST])];
  await clock.advance(2 * DEFAULT_CALL_LIMITS.requestArrivalMs);
  const young = [call({}, [REQUEST]), call({}, [REQUEST.subarray(0, 3)], false)];
  expect(app.openCalls).toBe(4);
  app.endCalls(() => gatewayError("GATEWAY_DRAINING", "going", { retryDelayMs: 1_000 }));
  for (const answer of await Promise.all([...old, ...young]))
    expect(answer.headers).toMatchObject({ "grpc-status": "14", "grpc-retry-pushback-ms": "1000" });
  expect(told).toHaveLength(3);
  expect(app.openCalls).toBe(0);
  await clock.advance(DEFAULT_CALL_LIMITS.requestArrivalMs);
  expect(clock.pending).toBe(0);
});
