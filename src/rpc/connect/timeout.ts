import { gatewayError } from "../../errors/reasons.ts";
import { NO_TIMEOUT, TIMEOUT_MAX_MS, type Timeout } from "../protocol.ts";

/** At most ten digits. A minus is none of it, but its meaning is plain: no time is left. */
const TIMEOUT = /^-?\d{1,10}$/;

/** Reads `connect-timeout-ms`. https://connectrpc.com/docs/protocol#unary-request (Timeout-Milliseconds) */
export function parseConnectTimeout(value: string | undefined): Timeout {
  if (value === undefined) return NO_TIMEOUT;
  if (!TIMEOUT.test(value))
    return {
      problem: gatewayError("TIMEOUT_MALFORMED", `malformed connect-timeout-ms "${value.slice(0, 40)}"`),
    };
  return { ms: Math.min(Number(value), TIMEOUT_MAX_MS) };
}
