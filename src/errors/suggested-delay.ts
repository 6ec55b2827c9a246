import type { ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { retryInfo } from "./reasons.ts";

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
