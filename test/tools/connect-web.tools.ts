import { anyIs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OperationMetadataSchema } from "../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { OperationWatcher, State } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { browserFetch } from "./browser-fetch.ts";
import { DATASET, ORIGIN, startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

type Make = (baseUrl: string, fetch: typeof globalThis.fetch) => Transport;

const TRANSPORTS: [string, Make][] = [
  [
    "Connect, JSON with a registry",
    (baseUrl, fetch) => createConnectTransport({ baseUrl, fetch, jsonOptions: { registry } }),
  ],
  ["Connect, binary", (baseUrl, fetch) => createConnectTransport({ baseUrl, fetch, useBinaryFormat: true })],
  ["gRPC-Web", (baseUrl, fetch) => createGrpcWebTransport({ baseUrl, fetch })],
];

describe.each(TRANSPORTS)("connect-web in a page: %s", (_title, make) => {
  const preflights: string[] = [];
  const open = (origin = ORIGIN) => make(`http://${world.address}`, browserFetch(origin, preflights));

  test("gets an operation with its metadata, after a preflight", async () => {
    const name = world.create({ durationMs: 600_000 });
    preflights.length = 0;
    const operation = await createClient(Operations, open()).getOperation({ name }, { timeoutMs: 20_000 });
    expect(operation.name).toBe(name);
    expect(operation.metadata && anyIs(operation.metadata, OperationMetadataSchema)).toBe(true);
    expect(preflights).toHaveLength(1);
    expect(preflights[0]).toMatch(/^POST .*timeout/);
  });

  test("cancels it and reads what came of it from the response metadata", async () => {
    const name = world.create({ durationMs: 600_000, cancelDelayMs: 300 });
    let outcome: string | null = null;
    const onHeader = (headers: Headers) => {
      outcome = headers.get("lro-cancel-outcome");
    };
    const client = createClient(Operations, open());
    await client.cancelOperation({ name }, { onHeader });
    expect(outcome).toBeTruthy();
    const { result } = await client.waitOperation({ name });
    expect(result).toMatchObject({ case: "error", value: { code: Code.Canceled } });
  });

  test("watches an operation until it is done", async () => {
    const name = world.create({ durationMs: 1_500 });
    const states: State[] = [];
    for await (const message of createClient(OperationWatcher, open()).watchOperation({ name }))
      states.push(message.state);
    expect(states[0]).toBe(State.RUNNING);
    expect(states.at(-1)).toBe(State.SUCCEEDED);
  });

  test("stops watching when the page aborts", async () => {
    const name = world.create({ durationMs: 600_000 });
    const abort = new AbortController();
    const watch = async () => {
      const client = createClient(OperationWatcher, open());
      for await (const _message of client.watchOperation({ name }, { signal: abort.signal })) abort.abort();
    };
    await expect(watch()).rejects.toMatchObject({ code: Code.Canceled });
  });

  test("reads the details of an error, of a call and of a stream", async () => {
    const failure = async (call: Promise<unknown>) =>
      ConnectError.from(
        await call.then(
          () => "no error",
          (error: unknown) => error,
        ),
      );
    const invalid = await failure(createClient(Operations, open()).getOperation({ name: "a/b" }));
    expect(invalid.code).toBe(Code.InvalidArgument);
    expect(invalid.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "NAME_INVALID" }]);
    expect(invalid.findDetails(BadRequestSchema)).toMatchObject([{ fieldViolations: [{ field: "name" }] }]);
    const watch = async () => {
      const stream = createClient(OperationWatcher, open()).watchOperation({
        name: `${DATASET}/operations/1`,
      });
      for await (const _message of stream) expect.unreachable();
    };
    const missing = await failure(watch());
    expect(missing.code).toBe(Code.NotFound);
    expect(missing.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "UPSTREAM_NOT_FOUND" }]);
  });

  test("gets nothing from a page that is not allowed", async () => {
    const name = world.create({ durationMs: 600_000 });
    const client = createClient(Operations, open("https://elsewhere.example"));
    await expect(client.getOperation({ name })).rejects.toThrow("has no leave to read the answer 403");
  });
});
