import { gatewayError } from "../../errors/reasons.ts";
import { NO_TIMEOUT, TIMEOUT_MAX_MS, type Timeout } from "../protocol.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** At most eight digits and a unit. A minus is none of it, but its meaning is plain: no time is left. */
const TIMEOUT = /^(-?\d{1,8})([HMSmun])$/;

/**
 * Reads `grpc-timeout`, of gRPC and gRPC-Web.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests (Timeout)
 */
export function parseGrpcTimeout(value: string | undefined): Timeout {
  if (value === undefined) return NO_TIMEOUT;
  const [, digits, unit] = TIMEOUT.exec(value) ?? [];
  if (digits === undefined || unit === undefined)
    return { problem: gatewayError("TIMEOUT_MALFORMED", `malformed grpc-timeout "${value.slice(0, 40)}"`) };
  return { ms: Math.min(Number(digits) * (UNIT_MS[unit] ?? 1), TIMEOUT_MAX_MS) };
}
