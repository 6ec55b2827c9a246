import { gzipSync } from "node:zlib";
import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { finishError } from "../../src/errors/fit.ts";
import { errorFromResponse, type UpstreamErrorContext } from "../../src/errors/from-upstream.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { cpuMs } from "../support/cpu-time.ts";
import { CODES, SHAPES } from "./golden.ts";

const CALLER: UpstreamErrorContext = { credentials: "caller", attempts: 1, now: 0 };
const ADC: UpstreamErrorContext = { credentials: "adc", attempts: 2, now: 0 };
const JSON_TYPE = { "content-type": "application/json; charset=UTF-8" };
const HTML_TYPE = { "content-type": "text/html; charset=UTF-8" };

const DEBUG: JsonObject = { "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "d" };

describe.each(Object.entries(SHAPES))("%s", (_, shape) => {
  test.each(CODES)("for $name is the right error", (row) => {
    const { http } = row;
    const body = shape.body(row);
    const error = errorFromResponse(
      { status: http, headers: shape.headers ?? JSON_TYPE, body: bytes(body) },
      CALLER,
    );
    expect(Code[error.code]).toBe(Code[shape.code(row)]);
    const note = " (the request was cancelled, not the operation)";
    expect(error.rawMessage.endsWith(note)).toBe(error.code === Code.Canceled);
    expect(error.rawMessage.replace(note, "")).toMatch(shape.message);
    expect(error.rawMessage).not.toMatch(/[<>]/);
    expect(error.metadata.get("lro-upstream-status")).toBe(String(http));
    expect(error.metadata.get("lro-error-layer")).toBe(
      error.code === Code.Unauthenticated ? "credentials" : "upstream",
    );
    const infos = error.findDetails(ErrorInfoSchema);
    expect(infos).toHaveLength(1);
    const theirs = JSON.stringify(body).includes("google.rpc.ErrorInfo");
    expect(infos[0]?.domain).toBe(theirs ? "healthcare.googleapis.com" : "lro-gateway");
    const others = detailsOf(error).filter((detail) => theirs || !isErrorInfo(detail));
    expect(others).toEqual(shape.details ?? []);
  });
});

describe("the HTTP status alone", () => {
  // The gateway column of the table of HTTP statuses.
  test.each([
    [400, Code.InvalidArgument],
    [401, Code.Unauthenticated],
    [402, Code.FailedPrecondition],
    [403, Code.PermissionDenied],
    [404, Code.Unimplemented],
    [405, Code.Unimplemented],
    [408, Code.Unavailable],
    [409, Code.Aborted],
    [410, Code.NotFound],
    [411, Code.Internal],
    [412, Code.FailedPrecondition],
    [413, Code.InvalidArgument],
    [414, Code.InvalidArgument],
    [416, Code.OutOfRange],
    [418, Code.FailedPrecondition],
    [429, Code.ResourceExhausted],
    [431, Code.InvalidArgument],
    [499, Code.Canceled],
    [500, Code.Internal],
    [501, Code.Unimplemented],
    [502, Code.Unavailable],
    [503, Code.Unavailable],
    [504, Code.DeadlineExceeded],
    [507, Code.Internal],
    [100, Code.Unknown],
    [302, Code.Unknown],
    [307, Code.Unknown],
    [200, Code.Internal],
  ])("%i with an HTML page is %s", (status, code) => {
    expect(decode(status, "<html>", CALLER, HTML_TYPE).code).toBe(code);
  });

  test("404 with any JSON object is NOT_FOUND, also one of no known shape", () => {
    expect(decode(404, { detail: "nope" }).code).toBe(Code.NotFound);
    expect(decode(404, { error: "not_found" }).code).toBe(Code.NotFound);
    expect(decode(404, []).code).toBe(Code.NotFound);
    expect(decode(404, '{"error": {"co').code).toBe(Code.NotFound);
  });
});

describe("the code", () => {
  test("of a 404 whose JSON was lost on the way is NOT_FOUND: the API knew the path", () => {
    const error = decode(404, "", CALLER, { ...JSON_TYPE, "content-length": "314" });
    expect(error.code).toBe(Code.NotFound);
    expect(error.rawMessage).toBe("HTTP 404 from upstream (application/json)");
    expect(decode(404, "", CALLER, { ...JSON_TYPE, "content-length": "0" }).code).toBe(Code.Unimplemented);
  });

  test.each(["", "OK", "not_found", "NOT_A_CODE", "CANCELED", "toString"])(
    "is the one of the HTTP status where `status` is %j",
    (status) => {
      expect(decode(409, { error: { code: 404, message: "m", status } }).code).toBe(Code.Aborted);
    },
  );

  test("comes from a Status of any number without ever being 0", () => {
    for (const code of [0, -1, 17, 99, 600, 1.5, 1e9])
      expect(decode(429, { code, message: "m" }).code, String(code)).toBe(Code.ResourceExhausted);
  });

  test("stands behind a byte order mark and behind the prefix against scripts", () => {
    const text = JSON.stringify({ error: { code: 400, status: "OUT_OF_RANGE", message: "m" } });
    expect(decode(400, `\ufeff${text}`).code).toBe(Code.OutOfRange);
    expect(decode(400, `)]}'\n${text}`).code).toBe(Code.OutOfRange);
  });

  test("is found in JSON that calls itself HTML", () => {
    const body = { error: { code: 400, status: "OUT_OF_RANGE", message: "m" } };
    expect(decode(400, body, CALLER, HTML_TYPE).code).toBe(Code.OutOfRange);
  });

  test("survives bytes that are no text at all", () => {
    const body = gzipSync("not inflated");
    expect(decode(502, body).code).toBe(Code.Unavailable);
    expect(decode(502, body).rawMessage).toBe("HTTP 502 from upstream (application/json)");
  });
});

describe("a redirect", () => {
  test.each([300, 301, 302, 303, 304, 307, 308, 399])(
    "with HTTP %i is one, whatever stands in its body",
    (status) => {
      for (const error of [
        { code: status, status: "NOT_FOUND", message: "it is gone" },
        { code: 401, status: "UNAUTHENTICATED", message: "log in", details: [DEBUG] },
        {
          status: "OK",
          details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "R", domain: "d" }],
        },
      ]) {
        for (const body of [{ error }, error, { error: "invalid_grant" }]) {
          const found = errorFromResponse({ status, headers: JSON_TYPE, body: bytes(body) }, ADC);
          expect([Code[found.code], found.rawMessage]).toEqual([
            "Unknown",
            `HTTP ${status} from upstream: redirects are not followed; check upstream.endpoint`,
          ]);
          expect(found.findDetails(ErrorInfoSchema).map(({ reason }) => reason)).toEqual([
            "UPSTREAM_REDIRECT",
          ]);
          expect(found.details).toHaveLength(1);
        }
      }
    },
  );
});

describe("a refusal of the credentials", () => {
  const body = {
    error: {
      code: 401,
      message: "Request had invalid authentication credentials.",
      status: "UNAUTHENTICATED",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "ACCESS_TOKEN_EXPIRED",
          domain: "googleapis.com",
          metadata: { service: "healthcare.googleapis.com" },
        },
        DEBUG,
      ],
    },
  };

  test.each(["caller", "none"] as const)(
    "is UNAUTHENTICATED in mode %s, as the upstream put it",
    (credentials) => {
      const error = decode(401, body, { ...CALLER, credentials });
      expect(error.code).toBe(Code.Unauthenticated);
      expect(error.rawMessage).toBe(body.error.message);
      expect(detailsOf(error)).toEqual(body.error.details);
    },
  );

  test("is INTERNAL for the gateway's own, with every detail kept and one ErrorInfo", () => {
    const error = decode(401, body, ADC);
    expect(error.code).toBe(Code.Internal);
    expect(error.rawMessage).toContain(body.error.message);
    expect(error.metadata.get("lro-error-layer")).toBe("credentials");
    const infos = error.findDetails(ErrorInfoSchema);
    expect(infos).toHaveLength(1);
    expect(infos[0]).toMatchObject({
      reason: "UPSTREAM_CREDENTIALS_REJECTED",
      domain: "lro-gateway",
      metadata: { upstreamReason: "ACCESS_TOKEN_EXPIRED", upstreamDomain: "googleapis.com" },
    });
    const structs = error.findDetails(StructSchema).map((struct) => toJson(StructSchema, struct));
    expect(structs).toEqual([body.error.details[0]]);
    expect(error.findDetails(DebugInfoSchema)).toHaveLength(1);
  });

  test("is the gateway's own fault with any body, and nobody's fault when the token service is down", () => {
    expect(decode(401, "", ADC).code).toBe(Code.Internal);
    expect(decode(401, "<html>", ADC, HTML_TYPE).code).toBe(Code.Internal);
    expect(decode(400, { error: "invalid_grant" }, ADC).code).toBe(Code.Internal);
    expect(decode(503, { error: "temporarily_unavailable" }, ADC).code).toBe(Code.Unavailable);
    expect(decode(503, { error: "temporarily_unavailable" }, CALLER).code).toBe(Code.Unavailable);
  });
});

describe("Retry-After", () => {
  test("of seconds becomes RetryInfo", () => {
    const error = decode(429, {}, CALLER, { "retry-after": "30" });
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(30n);
  });

  test("as a date counts from now", () => {
    const now = Date.UTC(2026, 1, 3, 4, 5, 6);
    const headers = { "retry-after": "Tue, 03 Feb 2026 04:05:16 GMT" };
    const error = decode(503, "", { ...CALLER, now }, headers);
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(10n);
  });

  test("does not compete with a RetryInfo of the body", () => {
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" }];
    const body = { error: { code: 429, message: "m", status: "RESOURCE_EXHAUSTED", details } };
    const infos = decode(429, body, CALLER, { "retry-after": "30" }).findDetails(RetryInfoSchema);
    expect(infos).toHaveLength(1);
    expect(infos[0]?.retryDelay?.nanos).toBe(500_000_000);
  });

  test("of nonsense is passed over", () => {
    for (const value of ["", "soon", "-5", "1e3", "Fri, 99 Xyz 2026 99:99:99 GMT"])
      expect(decode(503, "", CALLER, { "retry-after": value }).findDetails(RetryInfoSchema)).toEqual([]);
  });
});

describe("metadata", () => {
  test("names the upstream's request id when it is a plain token", () => {
    const id = (headers: Record<string, string>, body: JsonValue = {}) =>
      decode(500, body, CALLER, headers).metadata.get("lro-upstream-request-id");
    expect(id({ "x-goog-request-id": "abc/1;o=1" })).toBe("abc/1;o=1");
    expect(id({ "x-request-id": "abc" })).toBe("abc");
    expect(id({ "x-request-id": "a\r\nb" })).toBeNull();
    expect(id({ "x-request-id": "é" })).toBeNull();
    expect(id({ "x-request-id": "x".repeat(129) })).toBeNull();
    const details = [{ "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId: "from-detail" }];
    expect(id({}, { error: { code: 500, details } })).toBe("from-detail");
  });
});

describe("text", () => {
  test("never holds a credential, wherever the upstream put it", () => {
    const token = "ya29.a0AfH6SMBx-secret_secret";
    const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2VjcmV0";
    const details = [
      { ...DEBUG, detail: `Bearer 0123456789abcdefsecret and ${jwt}` },
      { "@type": "x/y", [token]: [token] },
    ];
    const error = decode(401, { error: { code: 401, message: `bad token ${token}`, details } });
    expect(error.rawMessage).toBe("bad token [credential removed]");
    expect(JSON.stringify(detailsOf(error))).not.toMatch(/secret|c2Vj/);
  });

  test("is well-formed", () => {
    const error = decode(
      400,
      '{"error":{"code":400,"message":"a\\ud800b","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"\\udfff"}]}]}}',
    );
    expect(error.rawMessage).toBe("a\ufffdb");
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe("\ufffd");
  });

  test("is no page, not even one inside of JSON", () => {
    for (const page of ["<html><body>x", " <!DOCTYPE html>", "<?xml version='1.0'?>"])
      expect(decode(500, { error: { code: 500, message: page } }).rawMessage).toBe(
        "HTTP 500 from upstream (application/json)",
      );
    expect(decode(500, { error: { code: 500, message: "<b> is no tag here" } }).rawMessage).toBe(
      "<b> is no tag here",
    );
  });

  test("of an answer without one names the status and media type", () => {
    expect(decode(500, { error: { code: 500 } }).rawMessage).toBe(
      "HTTP 500 from upstream (application/json)",
    );
    expect(decode(500, "x", CALLER, { "content-type": "<script>" }).rawMessage).toBe(
      "HTTP 500 from upstream (no content type)",
    );
  });
});

function decode(
  status: number,
  body: JsonValue | Uint8Array,
  context: UpstreamErrorContext = CALLER,
  headers: Record<string, string> = JSON_TYPE,
): ConnectError {
  return errorFromResponse({ status, headers, body: bytes(body) }, context);
}

function bytes(body: JsonValue | Uint8Array): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
}

/** The details as a client sees them in JSON, each with its `@type`. */
function detailsOf(error: ConnectError): JsonObject[] {
  return error.details.map((detail) => {
    if (!("desc" in detail)) throw new Error("details are typed");
    const json = toJson(detail.desc, detail.value as never, { registry });
    const type = { "@type": `type.googleapis.com/${detail.desc.typeName}` };
    const custom = detail.desc.typeName.startsWith("google.protobuf.");
    return custom ? { ...type, value: json } : { ...type, ...(json as JsonObject) };
  });
}

function isErrorInfo(detail: JsonObject): boolean {
  return detail["@type"] === "type.googleapis.com/google.rpc.ErrorInfo";
}

describe("60 KB of details", () => {
  const repeated = (detail: JsonValue) => {
    const { length } = JSON.stringify(detail);
    return Array.from({ length: 60_000 / (length + 1) }, () => detail);
  };
  const HELP = { "@type": "type.googleapis.com/google.rpc.Help", links: [{}, {}] };
  const metadata = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`k${at}`, "v"]));
  const INFO = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "R", domain: "d", metadata };

  test.each<[what: string, details: JsonValue[]]>([
    ["numbers", repeated(1)],
    ["objects without a type", repeated({ a: [] })],
    ["details with lists", repeated(HELP)],
    ["stacks", [{ ...DEBUG, stackEntries: repeated("") }]],
    ["metadata", [INFO]],
    ["times to wait", repeated({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1s" })],
  ])("that are %s are read, and cut to what an answer may hold, at once", (_what, details) => {
    const body = { error: { code: 400, status: "INVALID_ARGUMENT", message: "m", details } };
    let finished: ConnectError | undefined;
    const took = cpuMs(() => {
      finished = finishError(decode(400, body), "request-1");
    });
    expect(finished?.code).toBe(Code.InvalidArgument);
    expect(finished?.details.length).toBeGreaterThan(0);
    expect(finished?.details.length).toBeLessThan(100);
    expect(finished?.metadata.has("lro-error-cut")).toBe(true);
    expect(took).toBeLessThan(2_000);
  });
});
