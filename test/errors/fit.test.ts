import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, StructSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  HelpSchema,
  QuotaFailureSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { finishError as finish } from "../../src/errors/fit.ts";
import { anyText } from "../support/any-text.ts";

/** Trailers of a gRPC answer as HTTP/2 counts them, by the gRPC-over-HTTP/2 specification. */
function trailerBytes(error: ConnectError): number {
  const details = error.details.map((detail) => {
    if (!("desc" in detail)) throw new Error("details are typed");
    return anyPack(detail.desc, create(detail.desc, detail.value));
  });
  const status = create(StatusSchema, { code: error.code, message: error.rawMessage, details });
  const fields: [string, string][] = [
    ["grpc-status", String(error.code)],
    ["grpc-message", encodeURIComponent(error.rawMessage)],
    ["grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)).toString("base64")],
    ...error.metadata,
  ];
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
}

const finishError = (thrown: unknown) => finish(thrown, "request-1");

/** 6 KiB without what the rest of the answer's headers need. */
const ROOM = 5 * 1024;

function withDetails(...details: [DescMessage, object][]): ConnectError {
  const error = new ConnectError("message", Code.FailedPrecondition);
  for (const [desc, value] of details)
    error.details.push({ desc, value: value as MessageInitShape<DescMessage> });
  return error;
}

const typesOf = (error: ConnectError) =>
  error.details.map((detail) =>
    "desc" in detail ? detail.desc.typeName.replace("google.rpc.", "") : detail.type,
  );

describe("finishError", () => {
  test("changes nothing of an error that fits but to name the call, and leaves the one that was thrown as it was", () => {
    const error = withDetails(
      [ErrorInfoSchema, { reason: "R", domain: "lro-gateway" }],
      [DebugInfoSchema, { detail: "x".repeat(2000) }],
    );
    const before = [...error.details];
    const finished = finishError(error);
    expect(finished).toMatchObject({ code: error.code, rawMessage: error.rawMessage });
    expect(finished.details.slice(0, -1)).toEqual(before);
    expect(finished.findDetails(RequestInfoSchema)).toMatchObject([{ requestId: "request-1" }]);
    expect(finished.metadata.get("x-request-id")).toBe("request-1");
    expect([error.details, [...error.metadata]]).toEqual([before, []]);
  });

  test("gives two calls that fail with the same error each its own id", () => {
    const error = withDetails([ErrorInfoSchema, { reason: "R", domain: "lro-gateway" }]);
    const ids = ["a", "b"].map((id) =>
      finish(error, id)
        .findDetails(RequestInfoSchema)
        .map(({ requestId }) => requestId),
    );
    expect(ids).toEqual([["a"], ["b"]]);
  });

  test("keeps the RequestInfo of the upstream, and adds none to an error that is not of the catalogue", () => {
    const theirs = withDetails(
      [ErrorInfoSchema, { reason: "R", domain: "lro-gateway" }],
      [RequestInfoSchema, { requestId: "u" }],
    );
    expect(finishError(theirs).findDetails(RequestInfoSchema)).toMatchObject([{ requestId: "u" }]);
    expect(finishError(theirs).metadata.get("x-request-id")).toBe("request-1");
    expect(finishError(new ConnectError("m", Code.Aborted)).details).toEqual([]);
    const described = withDetails([ErrorInfoSchema, { reason: "R", domain: "healthcare.googleapis.com" }]);
    expect(finishError(described).findDetails(RequestInfoSchema)).toEqual([]);
    expect(finishError(described).metadata.get("x-request-id")).toBe("request-1");
  });

  test("brings any error below the limit, keeps its code, and its ErrorInfo to the last", () => {
    const text = (max: number) => anyText({ maxLength: max });
    const detail = fc.oneof(
      text(9000).map((detail) => [DebugInfoSchema, { detail }] as [DescMessage, object]),
      fc
        .array(text(500), { maxLength: 40 })
        .map((stackEntries) => [DebugInfoSchema, { stackEntries }] as [DescMessage, object]),
      fc
        .array(text(300), { maxLength: 60 })
        .map(
          (fields) =>
            [BadRequestSchema, { fieldViolations: fields.map((field) => ({ field })) }] as [
              DescMessage,
              object,
            ],
        ),
      text(9000).map(
        (reason) =>
          [StructSchema, { fields: { reason: { kind: { case: "stringValue", value: reason } } } }] as [
            DescMessage,
            object,
          ],
      ),
    );
    const info = fc.constant([
      ErrorInfoSchema,
      { reason: "REASON", domain: "lro-gateway", metadata: { a: "b" } },
    ] as [DescMessage, object]);
    fc.assert(
      fc.property(text(9000), fc.array(detail, { maxLength: 5 }), info, (message, details, errorInfo) => {
        const error = new ConnectError(message, Code.Aborted);
        for (const [desc, value] of [...details, errorInfo])
          error.details.push({ desc, value: value as never });
        const finished = finishError(error);
        expect(trailerBytes(finished)).toBeLessThanOrEqual(ROOM);
        expect(finished.code).toBe(Code.Aborted);
        expect(finished.rawMessage.isWellFormed()).toBe(true);
        expect(finished.findDetails(ErrorInfoSchema)[0]).toMatchObject({
          reason: "REASON",
          metadata: { a: "b" },
        });
        if (trailerBytes(error) <= ROOM - 500) expect(finished.details.slice(0, -1)).toEqual(error.details);
      }),
      { numRuns: 200 },
    );
  });

  test("counts metadata, each entry with what HTTP/2 adds to it", () => {
    const metadata = Array.from({ length: 30 }, (_, i): [string, string] => [`x-${i}`, "v".repeat(60)]);
    const error = new ConnectError("m".repeat(9000), Code.Aborted, metadata);
    expect(trailerBytes(finishError(error))).toBeLessThanOrEqual(ROOM);
    expect(trailerBytes(finishError(error))).toBeGreaterThan(ROOM - 400);
  });

  test("cuts DebugInfo first: its stack, then as much of its text as has to go", () => {
    const error = withDetails(
      [DebugInfoSchema, { stackEntries: Array(50).fill("at line"), detail: "é".repeat(3000) }],
      [BadRequestSchema, { fieldViolations: Array(20).fill({ field: "f", description: "d".repeat(40) }) }],
      [ErrorInfoSchema, { reason: "R", domain: "lro-gateway" }],
    );
    const finished = finishError(error);
    expect(typesOf(finished)).toEqual(["DebugInfo", "BadRequest", "ErrorInfo", "RequestInfo"]);
    const debug = finished.findDetails(DebugInfoSchema)[0];
    expect(debug?.stackEntries).toEqual([]);
    expect(debug?.detail).toMatch(/^é{500,}…$/);
    expect(finished.findDetails(BadRequestSchema)[0]?.fieldViolations).toHaveLength(20);
    expect(finished.metadata.get("lro-error-cut")).toBe("google.rpc.DebugInfo");
  });

  test("takes DebugInfo away before it touches anything else", () => {
    const error = withDetails(
      [DebugInfoSchema, { detail: "x".repeat(9000) }],
      [QuotaFailureSchema, { violations: Array(77).fill({ description: "d".repeat(40) }) }],
    );
    const finished = finishError(error);
    expect(typesOf(finished)).toEqual(["QuotaFailure"]);
    expect(finished.findDetails(QuotaFailureSchema)[0]?.violations).toHaveLength(77);
  });

  test("shortens lists before it drops details, and keeps RetryInfo", () => {
    const error = withDetails(
      [BadRequestSchema, { fieldViolations: Array(500).fill({ field: "f", description: "d".repeat(40) }) }],
      [HelpSchema, { links: [{ url: "https://example.com" }] }],
      [RetryInfoSchema, { retryDelay: { seconds: 5n } }],
      [ErrorInfoSchema, { reason: "R", domain: "lro-gateway" }],
    );
    const finished = finishError(error);
    expect(typesOf(finished)).toEqual(["BadRequest", "Help", "RetryInfo", "ErrorInfo", "RequestInfo"]);
    const { length = 0 } = finished.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(length).toBeGreaterThan(30);
    expect(length).toBeLessThan(100);
  });

  test("cuts a long message between code points, and does not let it push the details out", () => {
    const error = withDetails([HelpSchema, { links: [{ description: "d".repeat(2000) }] }]);
    const long = new ConnectError("😀".repeat(2000), error.code, undefined, undefined);
    long.details = error.details;
    const finished = finishError(long);
    expect(finished.rawMessage).toMatch(/^(?:😀){50,}…$/u);
    expect(typesOf(finished)).toEqual(["Help"]);
    expect(finished.metadata.get("lro-error-cut")).toBe("message");
  });

  test("cuts an ErrorInfo that is too large by itself from its longest metadata on", () => {
    const metadata = { short: "s", long: "l".repeat(6000), longer: "x".repeat(7000) };
    const finished = finishError(withDetails([ErrorInfoSchema, { reason: "R", domain: "d", metadata }]));
    expect(finished.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      reason: "R",
      domain: "d",
      metadata: { short: "s" },
    });
  });

  test("makes a message well-formed that somebody else threw", () => {
    const finished = finishError(new ConnectError("a\ud800b", Code.NotFound, { "x-a": "b" }));
    expect(finished).toMatchObject({ rawMessage: "a\ufffdb", code: Code.NotFound });
    expect(finished.metadata.get("x-a")).toBe("b");
  });

  test.for([new TypeError("secret path /etc/passwd"), "text", undefined, null, { code: 5 }])(
    "answers INTERNAL for a thrown %s and keeps what it says inside",
    (thrown) => {
      const finished = finishError(thrown);
      expect(finished.code).toBe(Code.Internal);
      expect(finished.rawMessage).toBe("internal error in the gateway; report it with the request id");
      expect(finished.findDetails(ErrorInfoSchema)[0]?.reason).toBe("GATEWAY_BUG");
      expect(finished.cause).toBe(thrown);
    },
  );
});
