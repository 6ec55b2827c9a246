import type { ConnectError } from "@connectrpc/connect";
import { retryAfterSeconds } from "../../errors/retry-delay.ts";
import type { HeaderRecord } from "../response-metadata.ts";

/**
 * Adds what a gRPC-Web error says in its header block besides its trailers: browsers and proxies know the HTTP
 * header `Retry-After`, but do not read a trailer in a body.
 */
export function addRetryAfter(headers: HeaderRecord, error: ConnectError): void {
  const seconds = retryAfterSeconds(error);
  if (seconds !== undefined) headers["retry-after"] = seconds;
}
