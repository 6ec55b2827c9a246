import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { maxStalenessMs } from "../../src/operations/max-staleness.ts";
import { timeoutMs } from "../../src/operations/wait-timeout.ts";

function duration(seconds: bigint, nanos = 0) {
  return { $typeName: "google.protobuf.Duration" as const, seconds, nanos };
}

test("an unset timeout stays unset, zero is zero, and a fraction of a millisecond is not lost", () => {
  expect(timeoutMs(undefined)).toBeUndefined();
  expect(timeoutMs(duration(0n))).toBe(0);
  expect(timeoutMs(duration(0n, 1))).toBe(1);
  expect(timeoutMs(duration(2n, 500_000_000))).toBe(2_500);
  expect(timeoutMs(duration(315_576_000_000n))).toBe(315_576_000_000_000);
});

test.each([
  duration(-1n),
  duration(0n, -1),
  duration(1n, -1),
  duration(-1n, 1),
  duration(0n, 1_000_000_000),
  duration(315_576_000_001n),
  duration(-315_576_000_001n),
])("refuses $seconds s $nanos ns, and names the field", (timeout) => {
  let error: unknown;
  try {
    timeoutMs(timeout);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: Code.InvalidArgument });
  expect((error as ConnectError).findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe("timeout");
});

test("the staleness that a caller allows is a duration in seconds", () => {
  expect(maxStalenessMs(undefined)).toBe(0);
  expect(maxStalenessMs("5s")).toBe(5_000);
  expect(maxStalenessMs("0.25s")).toBe(250);
  for (const wrong of ["5", "-1s", "5ms", "s", "1e3s", "5s, 6s", ""])
    expect(() => maxStalenessMs(wrong), wrong).toThrow(ConnectError);
});
