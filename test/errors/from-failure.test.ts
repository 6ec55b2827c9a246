import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { errorFromFailure, UpstreamFailure } from "../../src/errors/from-failure.ts";

describe("errorFromFailure", () => {
  test.each([
    ["dns", Code.Unavailable, "UPSTREAM_UNREACHABLE"],
    ["connect", Code.Unavailable, "UPSTREAM_UNREACHABLE"],
    ["tls", Code.Unavailable, "UPSTREAM_TLS_FAILED"],
    ["reset", Code.Unavailable, "UPSTREAM_RESET"],
    ["headers-timeout", Code.DeadlineExceeded, "UPSTREAM_TIMEOUT"],
    ["body-timeout", Code.DeadlineExceeded, "UPSTREAM_TIMEOUT"],
    ["too-large", Code.ResourceExhausted, "UPSTREAM_TOO_LARGE"],
    ["malformed", Code.Internal, "UPSTREAM_MALFORMED"],
  ] as const)(
    "answers %s with the right code, reason and layer, and keeps the cause inside",
    (kind, code, reason) => {
      const cause = new Error("connect ECONNREFUSED 10.1.2.3:443");
      const error = errorFromFailure(new UpstreamFailure(kind, undefined, { cause }), 3);
      expect(error.code).toBe(code);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason, metadata: { attempts: "3" } }]);
      expect(error.metadata.get("lro-error-layer")).toBe("upstream");
      expect(error.rawMessage).not.toContain("10.1.2.3");
      expect((error.cause as Error).cause).toBe(cause);
    },
  );

  test("says what is wrong with a malformed answer", () => {
    const error = errorFromFailure(new UpstreamFailure("malformed", "its body is not JSON"));
    expect(error.rawMessage).toBe("the upstream's answer is not what its API promises: its body is not JSON");
  });
});
