import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { DATASET, documents, GET, METADATA_TYPE, run, startWorld, WATCH, type World } from "./world.ts";

let world: World;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "lro-buf-"));
  world = await startWorld();
  expect(await run("node_modules/.bin/buf", "build", "-o", image())).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await world.close();
  rmSync(directory, { recursive: true });
});

const image = () => join(directory, "image.binpb");

/** Reflection is a bidirectional stream, so over HTTP/1.1 buf curl is given the protos. */
const WAYS = [
  ["grpc", "HTTP/2"],
  ["grpcweb", "HTTP/2"],
  ["connect", "HTTP/2"],
  ["grpcweb", "HTTP/1.1"],
  ["connect", "HTTP/1.1"],
] as const;

describe.each(WAYS)("buf curl: %s over %s", (protocol, http) => {
  const curl = (scheme: string, method: string, request: object, ...flags: string[]) =>
    run(
      "node_modules/.bin/buf",
      "curl",
      ...["--protocol", protocol, "-d", JSON.stringify(request), ...flags],
      ...(http === "HTTP/1.1" ? ["--schema", image()] : scheme === "http" ? ["--http2-prior-knowledge"] : []),
      `${scheme}://${world.address}/${method}`,
    );

  test("gets an operation and prints its metadata as its type", async () => {
    const name = world.create({ durationMs: 600_000 });
    const { code, stdout, stderr } = await curl("http", GET, { name });
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ name, metadata: { "@type": METADATA_TYPE } });
  });

  test("prints code, message and details of an error", async () => {
    const { code, stderr } = await curl("http", GET, { name: `${DATASET}/operations/1` });
    expect(code).toBeGreaterThan(0);
    const error = JSON.parse(stderr) as { details: { type: string; value: string }[] };
    expect(error).toMatchObject({
      code: "not_found",
      message: expect.stringContaining("not found") as string,
      details: [{ type: "google.rpc.ErrorInfo" }, { type: "google.rpc.RequestInfo" }],
    });
    const info = fromBinary(ErrorInfoSchema, Buffer.from(error.details[0]?.value ?? "", "base64"));
    expect(info.reason).toBe("UPSTREAM_NOT_FOUND");
  });

  test("watches an operation until it is done", async () => {
    const name = world.create({ durationMs: 1_500 });
    const { code, stdout, stderr } = await curl("http", WATCH, { name });
    expect([code, stderr]).toEqual([0, ""]);
    expect(documents(stdout).at(-1)).toMatchObject({ state: "SUCCEEDED", operation: { name, done: true } });
  });

  test("does the same over TLS, where ALPN chooses", async () => {
    const name = world.create({ durationMs: 600_000 });
    const { code, stdout } = await curl("https", GET, { name }, "--cacert", world.certificate);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name });
  });
});
