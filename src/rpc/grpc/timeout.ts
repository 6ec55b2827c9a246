import { gatewayError } from "../../errors/reasons.ts";
import { NO_TIMEOUT, TIMEOUT_MAX_MS, type Timeout } from "../protocol.ts";

/** Units in milliseconds. */
const UNIT_MS: ReadonlyMap<string | undefined, number> = new Map(
  Object.entries({ H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }),
);

/** Digits at most. */
const MAX_DIGITS = 8;

const MINUS = 0x2d;
const ZERO = 0x30;

/**
 * Reads `grpc-timeout`, of gRPC and gRPC-Web: at most eight digits and a unit. A minus is none of it, but its meaning is
 * plain: no time is left. By hand, because nearly every call has one and a regular expression makes an array and three
 * strings of it.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests (Timeout)
 */
export function parseGrpcTimeout(value: string | undefined): Timeout {
  if (value === undefined) return NO_TIMEOUT;
  const end = value.length - 1;
  const begin = value.charCodeAt(0) === MINUS ? 1 : 0;
  const unit = UNIT_MS.get(value[end]);
  if (unit === undefined || end <= begin || end - begin > MAX_DIGITS) return malformed(value);
  let number = 0;
  for (let at = begin; at < end; at++) {
    const digit = value.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return malformed(value);
    number = number * 10 + digit;
  }
  return { ms: Math.min((begin === 1 ? -number : number) * unit, TIMEOUT_MAX_MS) };
}

function malformed(value: string): Timeout {
  return { problem: gatewayError("TIMEOUT_MALFORMED", `malformed grpc-timeout "${value.slice(0, 40)}"`) };
}
