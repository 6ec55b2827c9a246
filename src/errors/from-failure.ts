import type { ConnectError } from "@connectrpc/connect";
import { gatewayError, type Reason } from "./reasons.ts";

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
  | "malformed";

/**
 * A failure between the gateway and its upstream, before it is an answer to somebody. Its message is for logs and, for
 * `malformed` and `too-large`, safe to show.
 */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message?: string, options?: ErrorOptions) {
    super(message ?? kind, options);
    this.kind = kind;
  }
}

const ANSWERS: Readonly<Record<FailureKind, readonly [reason: Reason, message: string]>> = {
  dns: ["UPSTREAM_UNREACHABLE", "the upstream's host name does not resolve; check upstream.endpoint"],
  connect: ["UPSTREAM_UNREACHABLE", "the upstream does not accept a connection"],
  tls: [
    "UPSTREAM_TLS_FAILED",
    "the TLS handshake with the upstream failed; the gateway's operator has to look at the certificates",
  ],
  reset: ["UPSTREAM_RESET", "the upstream broke off before its answer was complete"],
  "headers-timeout": ["UPSTREAM_TIMEOUT", "the upstream did not begin to answer in time"],
  "body-timeout": ["UPSTREAM_TIMEOUT", "the upstream did not finish its answer in time"],
  "too-large": ["UPSTREAM_TOO_LARGE", "the upstream's answer is too large"],
  malformed: ["UPSTREAM_MALFORMED", "the upstream's answer is not what its API promises"],
};

/** Kinds whose own message tells the caller more than the general one, and is written to be shown. */
const TELLING: ReadonlySet<FailureKind> = new Set<FailureKind>(["malformed", "too-large"]);

/**
 * The answer to a call whose upstream request failed: UNAVAILABLE where the transport did, DEADLINE_EXCEEDED for the
 * gateway's own time limits.
 *
 * @param attempts requests sent, the failed one included, where that is known
 */
export function errorFromFailure(failure: UpstreamFailure, attempts?: number): ConnectError {
  const [reason, message] = ANSWERS[failure.kind];
  const more = TELLING.has(failure.kind) && failure.message !== failure.kind ? `: ${failure.message}` : "";
  return gatewayError(reason, message + more, {
    layer: "upstream",
    cause: failure,
    ...(attempts === undefined ? {} : { metadata: { attempts: String(attempts) } }),
  });
}
