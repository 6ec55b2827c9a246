import type { Duration } from "@bufbuild/protobuf/wkt";
import { gatewayError } from "../errors/reasons.ts";

/** The range of a google.protobuf.Duration, about ten thousand years, in seconds. */
const MAX_SECONDS = 315_576_000_000n;

const MAX_NANOS = 999_999_999;

/**
 * The `timeout` of a wait in milliseconds, rounded up so that a short one does not become none; `undefined` when it
 * is unset.
 *
 * @throws ConnectError INVALID_ARGUMENT when it is negative or no well-formed google.protobuf.Duration.
 */
export function timeoutMs(timeout: Duration | undefined): number | undefined {
  if (timeout === undefined) return undefined;
  const { seconds, nanos } = timeout;
  const malformed =
    seconds > MAX_SECONDS ||
    seconds < -MAX_SECONDS ||
    Math.abs(nanos) > MAX_NANOS ||
    (seconds > 0n && nanos < 0) ||
    (seconds < 0n && nanos > 0);
  if (malformed) throw invalid("is not a valid duration: seconds and nanos must be in range and of one sign");
  if (seconds < 0n || nanos < 0)
    throw invalid("is negative; leave it unset to wait as long as the deadline allows");
  return Number(seconds) * 1000 + Math.ceil(nanos / 1_000_000);
}

function invalid(what: string) {
  return gatewayError("FIELD_INVALID", `timeout ${what}`, {
    fieldViolations: [{ field: "timeout", description: what }],
  });
}
