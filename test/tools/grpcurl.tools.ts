import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { registry } from "../../src/lib/any-registry.ts";
import {
  CANCEL,
  DATASET,
  documents,
  GET,
  LIST,
  METADATA_TYPE,
  run,
  startWorld,
  WAIT,
  WATCH,
  type World,
} from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

/** Without protos: everything that grpcurl knows, it has learnt by reflection. */
const grpcurl = (...args: string[]) => run("grpcurl", "-plaintext", ...args);
const call = (method: string, request: object) =>
  grpcurl("-format-error", "-d", JSON.stringify(request), world.address, method);

/** What `-format-error` writes to stderr. */
async function failure(method: string, request: object): Promise<unknown> {
  const { code, stderr } = await call(method, request);
  expect(code).toBeGreaterThan(0);
  return JSON.parse(stderr);
}

describe("grpcurl, which knows no proto", () => {
  test("lists the services", async () => {
    const { stdout } = await grpcurl(world.address, "list");
    expect(stdout.trim().split("\n")).toEqual([
      "google.longrunning.Operations",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "lrogateway.v1.OperationWatcher",
    ]);
  });

  test("lists the methods, and describes one of them with its HTTP annotation", async () => {
    const methods = await grpcurl(world.address, "list", "google.longrunning.Operations");
    expect(methods.stdout.trim().split("\n")).toEqual(
      ["CancelOperation", "DeleteOperation", "GetOperation", "ListOperations", "WaitOperation"].map(
        (name) => `google.longrunning.Operations.${name}`,
      ),
    );
    const { stdout } = await grpcurl(
      world.address,
      "describe",
      "google.longrunning.Operations.CancelOperation",
    );
    expect(stdout).toContain(
      "rpc CancelOperation ( .google.longrunning.CancelOperationRequest ) returns ( .google.protobuf.Empty )",
    );
    expect(stdout).toContain("option (.google.api.http)");
  });

  test("describes every type that may stand in an Any", async () => {
    for (const { kind, typeName } of registry) {
      if (kind !== "message") continue;
      const { stdout, stderr } = await grpcurl(world.address, "describe", typeName);
      expect(stderr).toBe("");
      expect(stdout).toContain(`${typeName} is a message:`);
    }
  });

  test("gets an operation and prints its metadata as its type", async () => {
    const name = world.create({ durationMs: 600_000 });
    const { stdout } = await call(GET, { name });
    expect(JSON.parse(stdout)).toMatchObject({
      name,
      metadata: { "@type": METADATA_TYPE, createTime: expect.any(String) as string },
    });
    expect(stdout).not.toContain("@error");
  });

  test("lists operations, page by page", async () => {
    for (let i = 0; i < 2; i++) world.create({ durationMs: 600_000 });
    const { stdout } = await call(LIST, { name: DATASET, pageSize: 1 });
    expect(JSON.parse(stdout)).toMatchObject({
      operations: [{}],
      nextPageToken: expect.any(String) as string,
    });
  });

  test("cancels an operation, and waits until it has ended with code 1", async () => {
    const name = world.create({ durationMs: 600_000, cancelDelayMs: 300 });
    expect((await call(CANCEL, { name })).stdout).toBe("{}\n");
    const { stdout } = await call(WAIT, { name, timeout: "20s" });
    expect(JSON.parse(stdout)).toMatchObject({ name, done: true, error: { code: 1 } });
  });

  test("prints the details of errors, the gateway's and the upstream's", async () => {
    expect(await failure(GET, { name: "a/b" })).toMatchObject({
      code: 3,
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "NAME_INVALID",
          domain: "lro-gateway",
        },
        { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field: "name" }] },
        { "@type": "type.googleapis.com/google.rpc.RequestInfo" },
      ],
    });
    expect(await failure(GET, { name: `${DATASET}/operations/1` })).toMatchObject({
      code: 5,
      message: expect.stringContaining("not found") as string,
      details: [
        { reason: "UPSTREAM_NOT_FOUND", metadata: { httpStatus: "404" } },
        { "@type": "type.googleapis.com/google.rpc.RequestInfo" },
      ],
    });
    expect(await failure("google.longrunning.Operations/DeleteOperation", { name: "x" })).toMatchObject({
      code: 12,
    });
  });

  test("gives up at its deadline with DEADLINE_EXCEEDED", async () => {
    const name = world.create({ durationMs: 600_000 });
    const request = JSON.stringify({ name });
    const { stderr } = await grpcurl("-max-time", "0.5", "-d", request, world.address, WATCH);
    expect(stderr).toContain("Code: DeadlineExceeded");
  });

  test("watches an operation until it is done", async () => {
    const name = world.create({ durationMs: 1_500 });
    const { code, stdout } = await call(WATCH, { name });
    expect(code).toBe(0);
    const messages = documents(stdout) as { kind: string; state?: string; operation?: { done?: boolean } }[];
    const states = messages.filter(({ kind }) => kind === "STATE");
    expect(states[0]).toMatchObject({ state: "RUNNING", operation: { name } });
    expect(states.at(-1)).toMatchObject({ state: "SUCCEEDED", operation: { name, done: true } });
  });

  test("does the same over TLS", async () => {
    const name = world.create({ durationMs: 600_000 });
    const trust = ["-cacert", world.certificate, "-servername", "localhost"];
    const { stdout } = await run("grpcurl", ...trust, "-d", JSON.stringify({ name }), world.address, GET);
    expect(JSON.parse(stdout)).toMatchObject({ name });
  });
});
