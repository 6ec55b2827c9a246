import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromFailure, UpstreamFailure } from "../errors/from-failure.ts";
import { gatewayError } from "../errors/reasons.ts";
import { retryDelayMs, suggestDelay } from "../errors/retry-delay.ts";
import { FIRST_RETRY_MS } from "./retry.ts";
import { SendFailure } from "./send-failure.ts";
import { TokenFailure } from "./token-source.ts";

/** A request that did not succeed. */
export interface FailedRequest {
  readonly error: ConnectError;
  /** Whether the upstream may have carried the request out all the same. */
  readonly sent: boolean;
  /** Whether the same request may succeed later, as far as the code does not say. */
  readonly retryable: boolean;
}

/** What is known beside the failure itself. */
export interface FailureContext {
  /** Requests sent for this call so far. */
  readonly attempts: number;
  /** Milliseconds until a failing token service is asked again. */
  readonly tokenRetryAfterMs: () => number;
}

/** What a request came to that got no answer. Throws what is no failure but a bug. */
export function failedWithout(
  cause: unknown,
  { attempts, tokenRetryAfterMs }: FailureContext,
): FailedRequest {
  // The call's own end, or its credentials.
  if (cause instanceof ConnectError) return failed(cause, false, false, attempts);
  if (cause instanceof TokenFailure)
    return failed(tokenError(cause, tokenRetryAfterMs()), false, false, attempts);
  if (!(cause instanceof SendFailure)) throw cause;
  const { sent, kind } = cause;
  if (kind === "busy") return failed(busyError(cause), sent, false, attempts);
  if (kind === "closed") return failed(closedError(cause), sent, false, attempts);
  const failure = new UpstreamFailure(kind, kind === "malformed" ? MALFORMED : undefined, { cause });
  return failed(errorFromFailure(failure, attempts), sent, kind !== "tls", attempts);
}

/** A failure with its error as the caller gets it, who is told to wait as long as the gateway would have. */
export function failed(
  error: ConnectError,
  sent: boolean,
  retryable: boolean,
  attempts: number,
): FailedRequest {
  if (error.code === Code.Unavailable && retryable && retryDelayMs(error) === undefined)
    suggestDelay(error, FIRST_RETRY_MS * 2 ** Math.max(attempts - 1, 0));
  return { error, sent, retryable };
}

/** What the sender calls malformed, for the caller. */
const MALFORMED = "it breaks off, or its head or encoding is not what HTTP allows here";

function tokenError(cause: TokenFailure, retryAfterMs: number): ConnectError {
  if (cause.kind === "rejected")
    return gatewayError(
      "CREDENTIALS_MISCONFIGURED",
      "the gateway's own credentials are not usable; its operator has to repair them",
      { layer: "credentials", cause },
    );
  return gatewayError(
    "CREDENTIALS_UNAVAILABLE",
    "the gateway could not get a token for the upstream just now; try again",
    { layer: "credentials", cause, retryDelayMs: Math.max(retryAfterMs, FIRST_RETRY_MS) },
  );
}

function busyError(cause: SendFailure): ConnectError {
  const message = "too many calls wait for a connection to the upstream; try again";
  return gatewayError("GATEWAY_OVERLOADED", message, { cause, retryDelayMs: FIRST_RETRY_MS });
}

function closedError(cause: SendFailure): ConnectError {
  return gatewayError("GATEWAY_DRAINING", "the gateway is shutting down", { cause });
}
