import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors/reasons.ts";

/** A refused caller may try again after so long: operations end all the time. */
const RETRY_MS = 5_000;

/** RESOURCE_EXHAUSTED: another operation would be one more than `waiting.max_operations`. */
export function noRoom(): ConnectError {
  const limit = "waiting.max_operations";
  return gatewayError(
    "TOO_MANY_OPERATIONS",
    `the gateway tracks as many operations as ${limit} allows; try later`,
    { retryDelayMs: RETRY_MS, metadata: { limit } },
  );
}
