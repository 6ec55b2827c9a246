import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { FaultServer, type Reply } from "../support/fault-server.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const DATASET = "projects/p/locations/l/datasets/d";
const NAME = `${DATASET}/operations/1`;

/** The headers of a caller whose trace is this digit over and over. */
function traced(digit: string) {
  const traceparent = `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;
  return { headers: { traceparent, tracestate: `vendor=${digit}` } };
}

let upstream: FaultServer;
let gateway: RunningGateway;
/** Requests that wait for {@link release}, while it holds them. */
let held: (() => void)[] | undefined;
beforeAll(async () => {
  upstream = await FaultServer.start(({ path, method }, reply) => {
    const answer = () => respond(path, method, reply);
    if (held) held.push(answer);
    else answer();
  });
  gateway = await startTestGateway(upstream.origin);
});
afterAll(async () => {
  await gateway.drain();
  await upstream.close();
});
beforeEach(() => {
  upstream.requests.length = 0;
  held = undefined;
});

function respond(path: string, method: string, reply: Reply): void {
  if (method === "POST") reply.json(200, {});
  else reply.json(200, path.includes("operations/") ? { name: path.replace("/v1beta1/", "") } : {});
}

const clientOf = () =>
  createClient(Operations, createGrpcTransport({ baseUrl: `http://${gateway.address}` }));

/** What each request said of its trace: the digit of it. */
const seen = () =>
  upstream.requests.map(({ method, headers }) => [
    method,
    headers["traceparent"]?.[3],
    headers["tracestate"]?.replace("vendor=", ""),
  ]);

describe("a caller's trace", () => {
  it("goes on upstream, with the read, the list and the cancel that are made for it", async () => {
    const client = clientOf();
    await client.getOperation({ name: NAME }, traced("a"));
    await client.listOperations({ name: DATASET }, traced("b"));
    await client.cancelOperation({ name: NAME }, traced("c"));
    expect(seen()).toEqual([
      ["GET", "a", "a"],
      ["GET", "b", "b"],
      ["POST", "c", "c"],
    ]);
  });

  it("goes on from browsers, over Connect, too", async () => {
    const transport = createConnectTransport({ baseUrl: `http://${gateway.address}`, httpVersion: "1.1" });
    await createClient(Operations, transport).waitOperation({ name: NAME, timeout: {} }, traced("d"));
    expect(seen()).toEqual([["GET", "d", "d"]]);
  });

  it("stays here when it is malformed, and where there is none nothing is made up", async () => {
    const client = clientOf();
    await client.getOperation({ name: NAME }, { headers: { traceparent: "00-x-y-01", tracestate: "a=1" } });
    await client.getOperation({ name: NAME });
    expect(seen()).toEqual([
      ["GET", undefined, undefined],
      ["GET", undefined, undefined],
    ]);
  });

  it("is on no read that several callers share", async () => {
    const client = clientOf();
    held = [];
    const calls = ["a", "b", "c"].map((digit) => client.getOperation({ name: NAME }, traced(digit)));
    await expect.poll(() => held?.length).toBe(1);
    const [first] = held;
    // The first has gone; the other two wait for one read of their own.
    await new Promise((resolve) => setTimeout(resolve, 50));
    held = undefined;
    first?.();
    await Promise.all(calls);
    expect(seen()).toEqual([
      ["GET", "a", "a"],
      ["GET", undefined, undefined],
    ]);
  });

  it("is on no poll", async () => {
    const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
    const left = new AbortController();
    const watch = createClient(OperationWatcher, transport).watchOperation(
      { name: `${NAME}0` },
      { ...traced("e"), signal: left.signal },
    );
    for await (const _ of watch) {
      left.abort();
      break;
    }
    expect(seen()).toEqual([["GET", undefined, undefined]]);
  });
});
