import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { GetOperationRequestSchema, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { healthcareBindings, type MethodWord, requestLine, transcode } from "../support/bindings.ts";

const DATASET = "projects/p/locations/us-central1/datasets/d";
const OPERATION = `${DATASET}/operations/123`;

describe("the Healthcare rules", () => {
  const bindings = healthcareBindings();
  const line = (word: MethodWord, fields: Record<string, unknown>) =>
    requestLine(transcode(bindings, word, fields));

  it("get an operation", () => {
    expect(line("get", { name: OPERATION })).toBe(`GET /v1beta1/${OPERATION}`);
  });

  it("list by the name of the dataset, with what is set in the query", () => {
    expect(line("list", { name: DATASET })).toBe(`GET /v1beta1/${DATASET}/operations`);
    expect(line("list", { name: DATASET, filter: "done = true", pageSize: 50, pageToken: "a/b+c=" })).toBe(
      `GET /v1beta1/${DATASET}/operations?filter=done%20%3D%20true&pageSize=50&pageToken=a%2Fb%2Bc%3D`,
    );
  });

  it("forward return_partial_success only when it is true", () => {
    expect(line("list", { name: DATASET, returnPartialSuccess: false })).not.toContain("?");
    expect(line("list", { name: DATASET, returnPartialSuccess: true })).toBe(
      `GET /v1beta1/${DATASET}/operations?returnPartialSuccess=true`,
    );
  });

  it("cancel with a literal verb colon and without a body", () => {
    const request = transcode(bindings, "cancel", { name: OPERATION });
    expect(request).toStrictEqual({ verb: "POST", path: `/v1beta1/${OPERATION}:cancel`, body: undefined });
  });

  it("use the configured version", () => {
    expect(requestLine(transcode(healthcareBindings("v1"), "get", { name: OPERATION }))).toBe(
      `GET /v1/${OPERATION}`,
    );
  });

  it.each(["delete", "wait"] as const)("answer %s with UNIMPLEMENTED", (word) => {
    const error = refusal(() => transcode(bindings, word, { name: OPERATION }));
    expect(error.code).toBe(Code.Unimplemented);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("METHOD_WITHOUT_RULE");
  });

  it("blame the field in a violation", () => {
    const error = refusal(() => transcode(bindings, "get", { name: "projects/p" }));
    expect(error.code).toBe(Code.InvalidArgument);
    const [violation] = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(violation?.field).toBe("name");
    expect(violation?.description).toBe(
      "name has 2 segments instead of 8; expected projects/*/locations/*/datasets/*/operations/*",
    );
  });
});

describe("transcode()", () => {
  it("takes each request on its own", () => {
    const bindings = healthcareBindings();
    const message = create(GetOperationRequestSchema, { name: OPERATION });
    const first = bindings.transcode(Operations.method.getOperation, message);
    message.name = "projects/q/locations/l/datasets/d/operations/9";
    const second = bindings.transcode(Operations.method.getOperation, message);
    expect([first.path, second.path]).toEqual([`/v1beta1/${OPERATION}`, `/v1beta1/${message.name}`]);
  });
});

function refusal(call: () => unknown): ConnectError {
  try {
    call();
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error("not refused");
}
