/**
 * Why a request got no complete answer.
 *
 * - `dns`: the host name does not resolve.
 * - `connect`: no connection (refused, unreachable, not made in time, refused by the proxy).
 * - `tls`: the peer's certificate or TLS handshake was refused; trying again does not help.
 * - `reset`: the connection broke before the answer was complete.
 * - `headers-timeout`, `body-timeout`: one of the sender's own limits passed before, or in, the answer.
 * - `malformed`: the answer is not HTTP, is shorter or longer than it says, or does not inflate.
 * - `too-large`: the answer is larger than the limit.
 * - `busy`: more requests wait for a connection than the sender holds.
 * - `closed`: the sender has been closed.
 */
export type SendFailureKind =
  | "dns"
  | "connect"
  | "tls"
  | "reset"
  | "headers-timeout"
  | "body-timeout"
  | "malformed"
  | "too-large"
  | "busy"
  | "closed";

/** A request without a complete answer. Stays inside upstream/: callers see the ConnectError made of it. */
export class SendFailure extends Error {
  readonly kind: SendFailureKind;
  /** Whether bytes of the request may have reached the upstream, so that a POST may have been carried out. */
  readonly sent: boolean;

  constructor(kind: SendFailureKind, sent: boolean, cause?: unknown) {
    super(`upstream request failed: ${kind}`, { cause });
    this.name = "SendFailure";
    this.kind = kind;
    this.sent = sent;
  }
}

/** undici's own codes; https://github.com/nodejs/undici/blob/main/docs/docs/api/Errors.md asks to match on them. */
const KIND_BY_CODE: Readonly<Record<string, SendFailureKind>> = {
  UND_ERR_CONNECT_TIMEOUT: "connect",
  UND_ERR_HEADERS_TIMEOUT: "headers-timeout",
  UND_ERR_BODY_TIMEOUT: "body-timeout",
  UND_ERR_HEADERS_OVERFLOW: "malformed",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "malformed",
  UND_ERR_RES_EXCEEDED_MAX_SIZE: "too-large",
  UND_ERR_DESTROYED: "closed",
  UND_ERR_CLOSED: "closed",
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ETIMEDOUT: "connect",
};

/**
 * Classifies what ended a request.
 *
 * @param sent whether the request had been written to a connection
 * @param answered whether the head of the answer had arrived
 */
export function classifySendError(error: Error, sent: boolean, answered: boolean): SendFailure {
  if (error instanceof SendFailure) return error;
  const code = errorCode(error);
  if (isTlsCode(code)) return new SendFailure("tls", sent, error);
  // llhttp's verdicts: the peer does not speak HTTP/1.1.
  if (code.startsWith("HPE_")) return new SendFailure("malformed", sent, error);
  if (code === "UND_ERR_SOCKET") {
    // The peer closed in good order. In the middle of an answer that is an answer shorter than it says.
    return new SendFailure(answered ? "malformed" : "reset", sent, error);
  }
  const kind = KIND_BY_CODE[code] ?? (sent ? "reset" : "connect");
  // A connection that dies after the request was written is a lost answer, whatever the system calls it.
  if (sent) return new SendFailure(kind === "connect" ? "reset" : kind, sent, error);
  // Nothing was sent, so nothing is lost: the connection was refused, whatever the system calls it.
  return new SendFailure(kind === "reset" ? "connect" : kind, sent, error);
}

function errorCode(error: Error): string {
  if ("code" in error && typeof error.code === "string") return error.code;
  // Node tries all addresses of a host and reports them together.
  if (error instanceof AggregateError)
    for (const inner of error.errors) if (inner instanceof Error) return errorCode(inner);
  return "";
}

/** Node's codes for certificates and handshakes: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
function isTlsCode(code: string): boolean {
  return (
    code.startsWith("ERR_TLS_") ||
    code.startsWith("ERR_SSL_") ||
    code.startsWith("CERT_") ||
    code.startsWith("UNABLE_TO_") ||
    code.endsWith("_CERT") ||
    code.endsWith("_SIGNED_CERT_IN_CHAIN") ||
    code === "HOSTNAME_MISMATCH" ||
    code === "UND_ERR_PRX_TLS"
  );
}
