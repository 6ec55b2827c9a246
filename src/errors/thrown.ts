import { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "./reasons.ts";

/**
 * What was thrown, as an error that may reach a caller. Whatever is no ConnectError is a fault of the gateway's own:
 * INTERNAL, with what it says kept inside. (`ConnectError.from` would show its message to the caller.)
 */
export function errorOf(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  return gatewayError("GATEWAY_BUG", "internal error in the gateway; report it with the request id", {
    cause: thrown,
  });
}
