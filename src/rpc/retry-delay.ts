import type { ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";

/**
 * How long the caller should wait before it tries again, from the google.rpc.RetryInfo among an error's details, in
 * whole milliseconds, rounded up. `undefined` without one.
 */
export function retryDelayMs(error: ConnectError): number | undefined {
  if (error.details.length === 0) return undefined;
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (!delay) return undefined;
  const ms = Math.ceil(Number(delay.seconds) * 1_000 + delay.nanos / 1e6);
  return Math.min(Math.max(ms, 0), 2 ** 31 - 1);
}

/** The same as the value of `Retry-After`, in whole seconds, rounded up (RFC 9110 §10.2.3). */
export function retryAfterSeconds(error: ConnectError): string | undefined {
  const ms = retryDelayMs(error);
  return ms === undefined ? undefined : String(Math.ceil(ms / 1_000));
}
