import { fromBinary, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  ListOperationsResponseSchema,
  OperationSchema,
  Operations,
} from "../../gen/google/longrunning/operations_pb.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { FaultServer } from "../support/fault-server.ts";
import { startTestGateway } from "../support/test-gateway.ts";
import { anyOperation, expectSameOperation, viewOf } from "../transcode/upstream-json.ts";

const DATASET = "projects/p/locations/l/datasets/d";
const COUNT = 60;

/**
 * What the upstream sends: a fixed choice of everything that may stand in an operation. The names end as those that are
 * asked for, since an answer about another operation is refused.
 */
const sent = fc
  .sample(anyOperation, { numRuns: COUNT, seed: 20261124 })
  .map(
    (operation, index): JsonObject =>
      JSON.parse(JSON.stringify({ ...operation, name: `${operation["name"]}/operations/${index}` })),
  );

let upstream: FaultServer;
let gateway: RunningGateway;
let baseUrl: string;

beforeAll(async () => {
  upstream = await FaultServer.start((request, reply) => {
    const id = /operations\/(\d+)$/.exec(request.path)?.[1];
    reply.json(200, id === undefined ? { operations: sent, nextPageToken: "t" } : sent[Number(id)]);
  });
  gateway = await startTestGateway(upstream.origin);
  baseUrl = `http://${gateway.address}`;
});

afterAll(async () => {
  await upstream.close();
  await gateway.drain();
});

test.each([
  ["gRPC", () => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", () => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect binary", () => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true })],
  [
    "Connect JSON",
    () =>
      createConnectTransport({
        baseUrl,
        httpVersion: "1.1",
        useBinaryFormat: false,
        jsonOptions: { registry },
      }),
  ],
] as [string, () => Transport][])(
  "over %s no operation fails because of a type, and no page",
  async (_, transport) => {
    const client = createClient(Operations, transport());
    for (const index of sent.keys()) {
      const operation = await client.getOperation({ name: `${DATASET}/operations/${index}` });
      // As a client without our types would pass it on: through its bytes.
      const again = fromBinary(OperationSchema, toBinary(OperationSchema, operation));
      expect(again.name).toBe(sent[index]?.["name"]);
      expect(again.done).toBe(sent[index]?.["done"] === true);
    }
    const page = await client.listOperations({ name: DATASET });
    expect(page.operations.map(({ name }) => name)).toEqual(sent.map(({ name }) => name));
  },
);

test("binary callers see what the upstream sent", async () => {
  const client = createClient(Operations, createGrpcTransport({ baseUrl }));
  for (const [index, operation] of sent.entries()) {
    const seen = await client.getOperation({ name: `${DATASET}/operations/${index}` });
    expectSameOperation(operation, viewOf(OperationSchema, seen, registry) as JsonObject);
  }
  const page = viewOf(
    ListOperationsResponseSchema,
    await client.listOperations({ name: DATASET }),
    registry,
  ) as {
    operations: JsonObject[];
  };
  for (const [index, operation] of sent.entries())
    expectSameOperation(operation, page.operations[index] ?? {});
});

test("JSON callers see what the upstream sent", async () => {
  const call = async (method: string, request: object): Promise<JsonObject> => {
    const answer = await fetch(`${baseUrl}/google.longrunning.Operations/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    expect(answer.status).toBe(200);
    return (await answer.json()) as JsonObject;
  };
  for (const [index, operation] of sent.entries())
    expectSameOperation(operation, await call("GetOperation", { name: `${DATASET}/operations/${index}` }));
  const page = (await call("ListOperations", { name: DATASET })) as { operations: JsonObject[] };
  for (const [index, operation] of sent.entries())
    expectSameOperation(operation, page.operations[index] ?? {});
});
