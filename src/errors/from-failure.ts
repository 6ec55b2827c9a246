import type { ConnectError } from "@connectrpc/connect";
import { type ErrorLayer, gatewayError, type Reason } from "./reasons.ts";

/** How a call to the upstream can fail without a usable HTTP answer. */
export type FailureKind =
  /** The host name does not resolve. */
  | "dns"
  /** No TCP connection: refused, unreachable, or not made in time. */
  | "connect"
  /** The TLS handshake failed. */
  | "tls"
  /** The connection broke after the request was sent, before the answer was complete. */
  | "reset"
  /** The status line did not come in time. */
  | "headers-timeout"
  /** The body did not come in time. */
  | "body-timeout"
  /** The body is larger than the limit. */
  | "too-large"
  /** An answer that is not HTTP, or a 2xx body that is not the JSON it should be. */
  | "malformed"
  /** Given up by the gateway because nobody waits for the answer any more. */
  | "aborted"
  /** No token just now: the token service is down or slow. */
  | "credentials-unavailable"
  /** No token, and none will come until somebody repairs the configuration. */
  | "credentials-misconfigured";

/**
 * A failure between the gateway and its upstream, before it is an answer to somebody. Its message is for logs and,
 * for `malformed` and `too-large` and `credentials-*`, safe to show.
 */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message?: string, options?: ErrorOptions) {
    super(message ?? kind, options);
    this.kind = kind;
  }
}

/** What the failed call is known by. */
export interface FailureContext {
  /** Requests sent, the failed one included. */
  readonly attempts?: number;
  /** Why the call ended ({@link CallContext.ended}); the answer to an `aborted` call. */
  readonly ended?: ConnectError | undefined;
}

interface FailureAnswer {
  readonly reason: Reason;
  readonly message: string;
  readonly layer: ErrorLayer;
}

const ANSWERS: Record<FailureKind, FailureAnswer> = {
  dns: upstream("UPSTREAM_UNREACHABLE", "the upstream's host name does not resolve; check upstream.endpoint"),
  connect: upstream("UPSTREAM_UNREACHABLE", "the upstream does not accept a connection"),
  tls: upstream(
    "UPSTREAM_TLS_FAILED",
    "the TLS handshake with the upstream failed; the gateway's operator has to look at the certificates",
  ),
  reset: upstream("UPSTREAM_RESET", "the upstream broke off before its answer was complete"),
  "headers-timeout": upstream("UPSTREAM_TIMEOUT", "the upstream did not begin to answer in time"),
  "body-timeout": upstream("UPSTREAM_TIMEOUT", "the upstream did not finish its answer in time"),
  "too-large": upstream("UPSTREAM_TOO_LARGE", "the upstream's answer is too large"),
  malformed: upstream("UPSTREAM_MALFORMED", "the upstream's answer is not what its API promises"),
  aborted: { reason: "CALLER_GONE", message: "the call was cancelled", layer: "gateway" },
  "credentials-unavailable": {
    reason: "CREDENTIALS_UNAVAILABLE",
    message: "the gateway could not get a token for the upstream; try again",
    layer: "credentials",
  },
  "credentials-misconfigured": {
    reason: "CREDENTIALS_MISCONFIGURED",
    message: "the gateway's own credentials are not usable; its operator has to repair them",
    layer: "credentials",
  },
};

/** Kinds whose own message tells the caller more than the general one, and is written to be shown. */
const TELLING: ReadonlySet<FailureKind> = new Set<FailureKind>(["malformed", "too-large"]);

/**
 * The answer to a call whose upstream request failed. Transport failures are UNAVAILABLE, the gateway's own time
 * limits DEADLINE_EXCEEDED; what the caller ended itself is answered by the reason it ended for, never as CANCELLED
 * because a timer fired.
 */
export function errorFromFailure(failure: UpstreamFailure, context: FailureContext = {}): ConnectError {
  if (failure.kind === "aborted" && context.ended) return context.ended;
  const { reason, message, layer } = ANSWERS[failure.kind];
  const more = TELLING.has(failure.kind) && failure.message !== failure.kind ? `: ${failure.message}` : "";
  return gatewayError(reason, message + more, {
    layer,
    cause: failure,
    ...(context.attempts === undefined ? {} : { metadata: { attempts: String(context.attempts) } }),
  });
}

function upstream(reason: Reason, message: string): FailureAnswer {
  return { reason, message, layer: "upstream" };
}
