import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { ERROR_DOMAIN, gatewayError, REASONS } from "../../src/errors/reasons.ts";

test("an error has the code of its reason, one ErrorInfo, and what else was said", () => {
  const cause = new Error("secret");
  const error = gatewayError("NAME_INVALID", "name \ud800 is wrong", {
    fieldViolations: [{ field: "name", description: "is empty" }],
    retryDelayMs: 1500,
    metadata: { key: "value" },
    cause,
  });
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toBe("name \ufffd is wrong");
  expect(error.cause).toBe(cause);
  expect(error.metadata.get("lro-error-layer")).toBe("gateway");
  const infos = error.findDetails(ErrorInfoSchema);
  expect(infos).toHaveLength(1);
  expect(infos[0]).toMatchObject({
    reason: "NAME_INVALID",
    domain: ERROR_DOMAIN,
    metadata: { key: "value" },
  });
  expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]).toMatchObject({
    field: "name",
    description: "is empty",
  });
  expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({
    seconds: 1n,
    nanos: 500_000_000,
  });
});

test.for(Object.entries(REASONS))(
  "reason %s is fit for an ErrorInfo and its text for a reader",
  ([reason, entry]) => {
    expect(reason).toMatch(/^[A-Z][A-Z0-9_]+[A-Z0-9]$/);
    expect(reason.length).toBeLessThanOrEqual(63);
    expect(entry.code).toBeGreaterThan(0);
    expect(entry.text).toMatch(/^[A-Z].*\.$/);
    expect(entry.text.length).toBeLessThan(110);
  },
);
