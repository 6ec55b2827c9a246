import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ListOperationsRequestSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { Script } from "../support/fault-server.ts";
import { DATASET, startFaultUpstream } from "../support/fault-upstream.ts";
import { OpenCall } from "../support/open-call.ts";

const MIB = 1024 * 1024;

/** An upstream with so many operations of so many bytes each, whose own page size is all of them. */
function pages(operations: number, bytes: number): Script {
  return (request, reply) => {
    const query = new URLSearchParams(request.path.split("?")[1]);
    const from = Number(query.get("pageToken") ?? 0);
    const to = Math.min(from + (Number(query.get("pageSize")) || operations), operations);
    reply.json(200, {
      operations: Array.from({ length: to - from }, (_, n) => ({
        name: `${DATASET}/operations/${from + n}`,
        done: true,
        error: { code: 13, message: "x".repeat(bytes) },
      })),
      ...(to < operations && { nextPageToken: String(to) }),
    });
  };
}

const asked = (paths: readonly { path: string }[]) =>
  paths.map(({ path }) => new URLSearchParams(path.split("?")[1]).get("pageSize"));

test("asks again for a smaller page when one is larger than clients accept, and loses no operation", async () => {
  await using at = await startFaultUpstream(pages(100, MIB / 10));
  const names: string[] = [];
  let pageToken = "";
  do {
    const request = create(ListOperationsRequestSchema, { name: DATASET, pageToken });
    const page = await at.upstream.api.list(request, new OpenCall());
    expect(page.toBinary().length).toBeLessThan(4 * MIB);
    names.push(...page.toMessage().operations.map(({ name }) => name));
    pageToken = page.toMessage().nextPageToken;
  } while (pageToken !== "");
  expect(names).toEqual(Array.from({ length: 100 }, (_, n) => `${DATASET}/operations/${n}`));
  expect(asked(at.server.requests).slice(0, 2)).toEqual([null, expect.stringMatching(/^\d+$/)]);
});

test("does not ask again for a page that fits", async () => {
  await using at = await startFaultUpstream(pages(30, MIB / 10));
  const request = create(ListOperationsRequestSchema, { name: DATASET, pageSize: 30 });
  const page = await at.upstream.api.list(request, new OpenCall());
  expect(page.toMessage().operations.length).toBe(30);
  expect(asked(at.server.requests)).toEqual(["30"]);
});

test("keeps the other parameters when it asks for less", async () => {
  await using at = await startFaultUpstream(pages(100, MIB / 10));
  const request = create(ListOperationsRequestSchema, {
    name: DATASET,
    filter: "done = true",
    pageToken: "10",
    pageSize: 80,
  });
  await at.upstream.api.list(request, new OpenCall());
  for (const { path } of at.server.requests) {
    const query = new URLSearchParams(path.split("?")[1]);
    expect([query.get("filter"), query.get("pageToken")]).toEqual(["done = true", "10"]);
  }
});

test("tells the caller what to do when no smaller page can fit", async () => {
  await using at = await startFaultUpstream(pages(1, 5 * MIB));
  const request = create(ListOperationsRequestSchema, { name: DATASET });
  const error = await at.upstream.api.list(request, new OpenCall()).catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.ResourceExhausted });
  expect((error as ConnectError).rawMessage).toContain("GetOperation");
  expect(at.server.requests.length).toBe(1);
});

test("stops asking for less after two smaller pages of an upstream that ignores the size", async () => {
  const all = pages(100, MIB / 10);
  await using at = await startFaultUpstream((request, reply, n) =>
    all({ ...request, path: request.path.replace(/pageSize=\d+/, "") }, reply, n),
  );
  const request = create(ListOperationsRequestSchema, { name: DATASET });
  const error = (await at.upstream.api
    .list(request, new OpenCall())
    .catch(ConnectError.from)) as ConnectError;
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("LIST_TOO_LARGE");
  expect(error.rawMessage).toMatch(/page_size \d+ or less/);
  expect(at.server.requests.length).toBe(3);
});

test("asks for less when a page is larger than the gateway reads at all", async () => {
  await using at = await startFaultUpstream(pages(100, 10_000), { maxResponseBytes: 600_000 });
  const request = create(ListOperationsRequestSchema, { name: DATASET });
  const page = await at.upstream.api.list(request, new OpenCall());
  expect(page.toMessage().operations.length).toBe(50);
  expect(asked(at.server.requests)).toEqual([null, "50"]);
});

test("advises when even the smallest page is larger than the gateway reads", async () => {
  await using at = await startFaultUpstream(pages(4, 700_000), { maxResponseBytes: 600_000 });
  const request = create(ListOperationsRequestSchema, { name: DATASET, pageSize: 4 });
  const error = (await at.upstream.api
    .list(request, new OpenCall())
    .catch(ConnectError.from)) as ConnectError;
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(error.rawMessage).toContain("GetOperation");
  expect(asked(at.server.requests)).toEqual(["4", "1"]);
});
