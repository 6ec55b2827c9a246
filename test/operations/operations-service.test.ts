import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  GetOperationRequestSchema,
  ListOperationsRequestSchema,
  ListOperationsResponseSchema,
  OperationSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Resolvers } from "../../src/lib/resolvers.ts";
import { createOperationsHandlers } from "../../src/operations/operations-service.ts";
import type { OperationsApi, UpstreamCall } from "../../src/upstream/operations-api.ts";
import { WaitingEngine } from "../../src/waiting/engine.ts";
import { encode } from "../support/encode.ts";
import { TestCall } from "../support/test-call.ts";

const NAME = "projects/p/locations/l/datasets/d/operations/1";

test("hands each call to the upstream with the caller's token and request id", async () => {
  const upstream = new RecordingUpstream();
  const handlers = handlersOver(upstream);
  const call = new TestCall({ headers: { authorization: "Bearer t" } });
  await handlers.getOperation!(create(GetOperationRequestSchema, { name: NAME }), call);
  await handlers.listOperations!(create(ListOperationsRequestSchema, { name: "parent" }), call);
  await handlers.cancelOperation!(
    { $typeName: "google.longrunning.CancelOperationRequest", name: NAME },
    call,
  );
  await handlers.deleteOperation!(
    { $typeName: "google.longrunning.DeleteOperationRequest", name: NAME },
    call,
  );
  expect(upstream.calls.map(([method, name]) => [method, name])).toEqual([
    ["get", NAME],
    ["list", "parent"],
    ["cancel", NAME],
    ["delete", NAME],
  ]);
  for (const [, , upstreamCall] of upstream.calls) {
    expect(upstreamCall).toMatchObject({ authorization: "Bearer t", requestId: "test-request" });
  }
});

test("tells the caller the upstream's status and request id", async () => {
  const upstream = new RecordingUpstream();
  const call = new TestCall();
  await handlersOver(upstream).getOperation!(create(GetOperationRequestSchema, { name: NAME }), call);
  expect(call.responseHeader.entries).toEqual([
    ["lro-upstream-status", "200"],
    ["lro-upstream-request-id", "upstream-1"],
  ]);
});

test("leaves the status of an error answer to the error, which carries it", async () => {
  const upstream = new RecordingUpstream();
  const call = new TestCall();
  upstream.failure = new ConnectError("no such operation", Code.NotFound);
  await expect(
    handlersOver(upstream).getOperation!(create(GetOperationRequestSchema, { name: NAME }), call),
  ).rejects.toBe(upstream.failure);
  expect(call.responseHeader.entries).toEqual([]);
});

test("drops an upstream request id that would not be a legal field value", async () => {
  const upstream = new RecordingUpstream();
  upstream.requestId = "a\r\nset-cookie: x";
  const call = new TestCall();
  await handlersOver(upstream).getOperation!(create(GetOperationRequestSchema, { name: NAME }), call);
  expect(call.responseHeader.entries).toEqual([["lro-upstream-status", "200"]]);
});

test("lets the upstream know when the only caller of a read goes", async () => {
  const upstream = new RecordingUpstream();
  upstream.silent = true;
  const call = new TestCall();
  const answer = handlersOver(upstream).getOperation!(
    create(GetOperationRequestSchema, { name: NAME }),
    call,
  );
  await expect.poll(() => upstream.calls).toHaveLength(1);
  let heard: ConnectError | undefined;
  upstream.calls[0]![2].onEnd({
    callEnded: (why) => {
      heard = why;
    },
  });
  call.end();
  await expect(answer).rejects.toMatchObject({ code: Code.Canceled });
  expect(heard?.code).toBe(Code.Canceled);
  expect(upstream.calls[0]![2].ended).toBe(heard);
});

/** The handlers with an engine as the configuration has it by default. */
function handlersOver(api: OperationsApi) {
  const loaded = loadConfig({ file: undefined, env: {}, flags: {} });
  if ("problems" in loaded) throw new Error("the defaults are wrong");
  const parts = { api, clock: systemClock, random: Math.random, credentials: "caller" } as const;
  return createOperationsHandlers(new WaitingEngine({ ...parts, config: loaded.config.waiting }));
}

/** An upstream that answers at once and remembers what it was asked. */
class RecordingUpstream implements OperationsApi {
  readonly calls: [method: string, name: string, call: UpstreamCall][] = [];
  failure: ConnectError | undefined;
  requestId = "upstream-1";
  /** Never answers. */
  silent = false;

  check(): void {}
  async get(name: string, call: UpstreamCall) {
    this.record("get", name, call);
    if (this.silent) await new Promise(() => {});
    return encode(OperationSchema, create(OperationSchema, { name }));
  }
  async list(request: { name: string }, call: UpstreamCall) {
    this.record("list", request.name, call);
    return encode(ListOperationsResponseSchema, create(ListOperationsResponseSchema, {}));
  }
  cancel(name: string, call: UpstreamCall, told: Resolvers<void>) {
    try {
      this.record("cancel", name, call);
      told.resolve();
    } catch (error) {
      told.reject(error);
    }
  }
  async delete(name: string, call: UpstreamCall) {
    this.record("delete", name, call);
  }

  private record(method: string, name: string, call: UpstreamCall) {
    this.calls.push([method, name, call]);
    const httpStatus = this.failure ? 404 : 200;
    call.onUpstreamAnswer?.({ httpStatus, requestId: this.requestId, attempts: 1 });
    if (this.failure) throw this.failure;
  }
}
