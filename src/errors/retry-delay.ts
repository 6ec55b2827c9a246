import { Code, type ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { ownReason, REASONS, retryInfo } from "./reasons.ts";

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
  const reason = ownReason(error);
  return reason !== undefined && !REASONS[reason].retryable;
}

const suggested = new WeakSet<ConnectError>();

/**
 * Adds a RetryInfo that is the gateway's own idea: a hint for whoever calls again, no word of the upstream's. Those
 * who must tell the two apart ask {@link isSuggested}.
 */
export function suggestDelay(error: ConnectError, delayMs: number): void {
  error.details.push({ desc: RetryInfoSchema, value: retryInfo(delayMs) });
  suggested.add(error);
}

/** Whether the RetryInfo of an error is a suggestion of the gateway's. */
export function isSuggested(error: ConnectError): boolean {
  return suggested.has(error);
}
