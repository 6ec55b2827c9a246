import { Code, type ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { ERROR_DOMAIN, REASONS, type Reason } from "./reasons.ts";

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

/**
 * Whether the gateway knows of an UNAVAILABLE that a further attempt ends the same way, while the code alone would have
 * gRPC clients make one: a certificate that is not trusted, say.
 */
export function isFinal(error: ConnectError): boolean {
  if (error.code !== Code.Unavailable) return false;
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === ERROR_DOMAIN);
  return info !== undefined && REASONS[info.reason as Reason]?.retryable === false;
}
