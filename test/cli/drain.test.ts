import { connect } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { startServe } from "../support/cli-process.ts";
import { fetchLoad, grpcLoad } from "../support/load-callers.ts";
import { OPERATION, type SlowUpstream, startSlowUpstream } from "../support/slow-upstream.ts";
import { startTestGateway } from "../support/test-gateway.ts";

let upstream: SlowUpstream;
let other: RunningGateway;
beforeAll(async () => {
  upstream = await startSlowUpstream(15);
  other = await startTestGateway(upstream.endpoint);
});
afterAll(async () => {
  await other.drain();
  await upstream.close();
});

const start = (...args: string[]) =>
  startServe(["--upstream-endpoint", upstream.endpoint, "--upstream-credentials", "none", ...args]);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it("fails no unary call on SIGTERM under load, over HTTP/2 and HTTP/1.1, and exits 0", async () => {
  const gateway = await start();
  const loads = [
    grpcLoad(8, [gateway.address, other.address]),
    fetchLoad(8, [gateway.address, other.address]),
  ];
  while (loads.some(({ answered }) => answered < 50)) await pause(10);
  gateway.child.kill("SIGTERM");
  expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
  // They go on with the other gateway.
  const after = loads.map(({ answered }) => answered);
  while (loads.some(({ answered }, i) => answered < (after[i] ?? 0) + 10)) await pause(10);
  await Promise.all(loads.map((load) => load.stop()));
  expect(loads.map(({ failures }) => failures)).toEqual([[], []]);
});

it("says first that it leaves, serves on for the lame-duck time, then ends streams with UNAVAILABLE and RetryInfo", async () => {
  const gateway = await start("--drain-lame-duck", "600ms");
  const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
  const states: Status[] = [];
  const health = createClient(Health, transport);
  const failureOf = async (work: () => Promise<void>): Promise<ConnectError | undefined> => {
    try {
      await work();
      return undefined;
    } catch (error) {
      return ConnectError.from(error);
    }
  };
  const watchingHealth = failureOf(async () => {
    for await (const { status } of health.watch({})) states.push(status);
  });
  const watching = failureOf(async () => {
    for await (const _ of createClient(OperationWatcher, transport).watchOperation({ name: OPERATION }));
  });
  while (states.length === 0) await pause(5);
  const ready = () => fetch(`http://${gateway.address}/readyz`).then(({ status }) => status);
  expect(await ready()).toBe(200);
  gateway.child.kill("SIGTERM");
  while (states.length < 2) await pause(5);
  expect(states).toEqual([Status.SERVING, Status.NOT_SERVING]);
  expect(await ready()).toBe(503);
  expect((await health.check({})).status).toBe(Status.NOT_SERVING);
  const error = await watching;
  expect(error?.code).toBe(Code.Unavailable);
  expect(error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  expect((await watchingHealth)?.code).toBe(Code.Unavailable);
  expect((await gateway.ended).code).toBe(0);
});

it("answers calls that take longer than drain.timeout with UNAVAILABLE and RetryInfo, and waits for no silent connection", async () => {
  const slow = await startSlowUpstream(60_000);
  const gateway = await startServe([
    ...["--upstream-endpoint", slow.endpoint, "--upstream-credentials", "none"],
    ...["--drain-timeout", "1500ms"],
  ]);
  const [host = "", port = ""] = gateway.address.split(":");
  const silent = connect(Number(port), host);
  const baseUrl = `http://${gateway.address}`;
  const transports = [
    createGrpcTransport({ baseUrl }),
    createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
    createConnectTransport({ baseUrl, httpVersion: "2" }),
  ];
  const calls = transports.map((transport, n) => {
    const client = createClient(Operations, transport);
    // Each another operation, so that none joins another's read.
    return client.getOperation({ name: `${OPERATION}${n}` }).then(
      () => undefined,
      (error: unknown) => ConnectError.from(error),
    );
  });
  while (slow.asked < calls.length) await pause(10);
  gateway.child.kill("SIGTERM");
  const sentAt = performance.now();
  for (const error of await Promise.all(calls)) {
    expect(error?.code).toBe(Code.Unavailable);
    expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "GATEWAY_DRAINING" }]);
    expect(error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  }
  expect((await gateway.ended).code).toBe(0);
  const took = performance.now() - sentAt;
  expect(took).toBeGreaterThan(1_400);
  expect(took).toBeLessThan(6_000);
  silent.destroy();
  await slow.close();
});

it("ends a reflection stream whose caller keeps it open, instead of waiting for it", async () => {
  const gateway = await start();
  const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
  const answers: string[] = [];
  async function* ask() {
    yield { messageRequest: { case: "listServices", value: "" } } as const;
    await new Promise(() => {});
  }
  const stream = (async () => {
    for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(
      ask(),
    ))
      answers.push(messageResponse.case ?? "");
  })().catch((error: unknown) => ConnectError.from(error));
  while (answers.length === 0) await pause(10);
  gateway.child.kill("SIGTERM");
  const sentAt = performance.now();
  const error = await stream;
  expect(error?.code).toBe(Code.Unavailable);
  expect(error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  expect((await gateway.ended).code).toBe(0);
  // Well below drain.timeout, whose default is 8 s.
  expect(performance.now() - sentAt).toBeLessThan(4_000);
});
