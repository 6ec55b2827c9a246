import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { errorFromFailure, UpstreamFailure } from "../../src/errors/from-failure.ts";
import { gatewayError } from "../../src/errors/reasons.ts";

describe("errorFromFailure", () => {
  test.each([
    ["dns", Code.Unavailable, "UPSTREAM_UNREACHABLE", "upstream"],
    ["connect", Code.Unavailable, "UPSTREAM_UNREACHABLE", "upstream"],
    ["tls", Code.Unavailable, "UPSTREAM_TLS_FAILED", "upstream"],
    ["reset", Code.Unavailable, "UPSTREAM_RESET", "upstream"],
    ["headers-timeout", Code.DeadlineExceeded, "UPSTREAM_TIMEOUT", "upstream"],
    ["body-timeout", Code.DeadlineExceeded, "UPSTREAM_TIMEOUT", "upstream"],
    ["too-large", Code.ResourceExhausted, "UPSTREAM_TOO_LARGE", "upstream"],
    ["malformed", Code.Internal, "UPSTREAM_MALFORMED", "upstream"],
    ["aborted", Code.Canceled, "CALLER_GONE", "gateway"],
    ["credentials-unavailable", Code.Unavailable, "CREDENTIALS_UNAVAILABLE", "credentials"],
    ["credentials-misconfigured", Code.Internal, "CREDENTIALS_MISCONFIGURED", "credentials"],
  ] as const)(
    "answers %s with the right code, reason and layer, and keeps the cause inside",
    (kind, code, reason, layer) => {
      const cause = new Error("connect ECONNREFUSED 10.1.2.3:443");
      const error = errorFromFailure(new UpstreamFailure(kind, undefined, { cause }), { attempts: 3 });
      expect(error.code).toBe(code);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason, metadata: { attempts: "3" } }]);
      expect(error.metadata.get("lro-error-layer")).toBe(layer);
      expect(error.rawMessage).not.toContain("10.1.2.3");
      expect((error.cause as Error).cause).toBe(cause);
    },
  );

  test("answers a call that was given up with the reason why, never with CANCELLED for a deadline", () => {
    const ended = gatewayError("DEADLINE_PASSED", "too late");
    expect(errorFromFailure(new UpstreamFailure("aborted"), { ended })).toBe(ended);
  });

  test("says what is wrong with a malformed answer", () => {
    const error = errorFromFailure(new UpstreamFailure("malformed", "its body is not JSON"));
    expect(error.rawMessage).toBe("the upstream's answer is not what its API promises: its body is not JSON");
  });
});
