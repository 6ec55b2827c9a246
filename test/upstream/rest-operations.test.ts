import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ListOperationsRequestSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { cancelled } from "../support/cancelled.ts";
import { DATASET, OPERATION, startFaultUpstream } from "../support/fault-upstream.ts";
import { OpenCall } from "../support/open-call.ts";

const RUNNING = { name: OPERATION, metadata: { "@type": "type.googleapis.com/x.Y" } };

test("answers get, list and cancel from one REST call each", async () => {
  await using at = await startFaultUpstream((request, reply) => {
    if (request.method === "POST") reply.json(200, {});
    else if (request.path.includes("/operations?"))
      reply.json(200, { operations: [RUNNING], nextPageToken: "n" });
    else reply.json(200, RUNNING);
  });
  const { api } = at.upstream;
  expect((await api.get(OPERATION, new OpenCall())).toMessage().name).toBe(OPERATION);
  const request = create(ListOperationsRequestSchema, { name: DATASET, pageSize: 5 });
  const page = (await api.list(request, new OpenCall())).toMessage();
  expect([page.operations.map(({ name }) => name), page.nextPageToken]).toEqual([[OPERATION], "n"]);
  await cancelled(api, OPERATION, new OpenCall());
  expect(at.lines()).toEqual(["GET operations/1", "GET operations?pageSize=5", "POST operations/1:cancel"]);
});

test("sends the headers of the closed list and no other", async () => {
  await using at = await startFaultUpstream((request, reply) =>
    reply.json(200, request.method === "POST" ? {} : RUNNING),
  );
  const call = () => new OpenCall({ authorization: "Bearer canary" });
  await at.upstream.api.get(OPERATION, call());
  await cancelled(at.upstream.api, OPERATION, call());
  const common = ["host", "connection", "accept", "user-agent", "x-goog-api-client"];
  expect(at.server.requests.map(({ headers }) => Object.keys(headers).sort())).toEqual([
    [...common, "accept-encoding"].sort(),
    [...common, "content-length"].sort(),
  ]);
  expect(at.server.requests[0]!.headers).toMatchObject({
    accept: "application/json",
    "user-agent": "lro-gateway/9.9.9 (gzip)",
    "x-goog-api-client": `gl-node/${process.versions.node} lro-gateway/9.9.9`,
  });
  expect(at.server.requests.map(({ head }) => head).join()).not.toContain("canary");
});

test("says what is wrong with an answer that breaks off", async () => {
  await using at = await startFaultUpstream((_, reply) => {
    reply.raw('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"name"');
    reply.end();
  });
  const error = await at.upstream.api.get(OPERATION, new OpenCall()).catch(ConnectError.from);
  expect(error).toMatchObject({
    code: Code.Internal,
    rawMessage: expect.stringContaining("what its API promises: it breaks off"),
  });
});

test("has no Delete for Healthcare, and sends nothing", async () => {
  await using at = await startFaultUpstream((_, reply) => reply.json(200, {}));
  const call = new OpenCall();
  const error = await at.upstream.api.delete(OPERATION, call).catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.Unimplemented });
  expect([at.server.connections, call.answers]).toEqual([0, []]);
});
