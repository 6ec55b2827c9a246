import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { QuotaFailureSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { errorFromResponse } from "../../../src/errors/from-upstream.ts";
import { gatewayError } from "../../../src/errors/reasons.ts";
import { suggestDelay } from "../../../src/errors/retry-delay.ts";
import { meaningOf, retryAfter } from "../../../src/waiting/facts/read-failure.ts";

function http(status: number, body = "", headers: Record<string, string> = {}): ConnectError {
  return errorFromResponse(
    { status, headers, body: Buffer.from(body) },
    { credentials: "caller", attempts: 1, now: Date.UTC(2026, 0, 1) },
  );
}

const info = (code: number, status: string, reason: string) =>
  JSON.stringify({
    error: {
      code,
      status,
      details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" }],
    },
  });

test.each([
  ["a JSON 404", http(404, '{"error":{"code":404,"status":"NOT_FOUND"}}'), "ends"],
  ["an HTML 404", http(404, "<html>"), "passes"],
  ["a 410", http(410, '{"error":{"code":410}}'), "ends"],
  ["a 403 of IAM", http(403, info(403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED")), "ends"],
  [
    "a 403 with ErrorInfo of a rate",
    http(403, info(403, "PERMISSION_DENIED", "RATE_LIMIT_EXCEEDED")),
    "limited",
  ],
  [
    "a 403 of the older format with a quota",
    http(403, '{"error":{"code":403,"errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded"}]}}'),
    "limited",
  ],
  ["a 429", http(429), "limited"],
  ["a 400", http(400, '{"error":{"code":400,"status":"INVALID_ARGUMENT"}}'), "ends"],
  ["a 412", http(412), "passes"],
  ["a 500", http(500), "passes"],
  ["no free connection", gatewayError("GATEWAY_OVERLOADED", "busy"), "passes"],
  ["an answer that is too large", gatewayError("UPSTREAM_TOO_LARGE", "large"), "passes"],
  ["a method without a rule", gatewayError("METHOD_WITHOUT_RULE", "none"), "ends"],
  ["a name that is refused", gatewayError("NAME_INVALID", "no"), "ends"],
  ["a reset", gatewayError("UPSTREAM_RESET", "reset"), "passes"],
] as const)("%s %s", (_what, error, meaning) => {
  expect(meaningOf(error, "caller")).toBe(meaning);
});

test("a quota failure among the details of a 403 means a limit", () => {
  const error = new ConnectError("no", Code.PermissionDenied);
  error.details.push({ desc: QuotaFailureSchema, value: create(QuotaFailureSchema) });
  expect(meaningOf(error, "adc")).toBe("limited");
});

test("a refused token ends the wait of him whose token it is, and of nobody else", () => {
  const error = http(401);
  expect(meaningOf(error, "caller")).toBe("ends");
  expect(meaningOf(error, "adc")).toBe("passes");
  expect(meaningOf(error, "none")).toBe("passes");
});

test("only the upstream's own word counts as a pause", () => {
  expect(retryAfter(http(503, "", { "retry-after": "7" }))).toBe(7_000);
  expect(retryAfter(http(503, "", { "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" }))).toBe(9_000);
  expect(retryAfter(http(503))).toBeUndefined();
  const hinted = http(503);
  suggestDelay(hinted, 1_000);
  expect(retryAfter(hinted)).toBeUndefined();
});
