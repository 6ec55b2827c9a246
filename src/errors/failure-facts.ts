import { ConnectError } from "@connectrpc/connect";
import { type ErrorInfo, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { ERROR_DOMAIN } from "./reasons.ts";

/** What a log may tell of a failure beside its code: words of programs and numbers, never a text. */
export interface FailureFacts {
  /** Of the ErrorInfo. `_OTHER` where the upstream's is no word of AIP-193; absent where there is no ErrorInfo. */
  readonly reason: string | undefined;
  /** Of the ErrorInfo, where it is not the gateway's own. */
  readonly domain: string | undefined;
  /** See {@link causeOf}. */
  readonly cause: string | undefined;
  /** How often the upstream was asked, where the error says so. */
  readonly attempts: number | undefined;
}

/** Reads what a log may tell of a failure from its details and its causes, which stay inside. */
export function failureFacts(error: ConnectError): FailureFacts {
  const info = infoOf(error);
  const attempts = Number(info?.metadata["attempts"]);
  return {
    reason: reasonOf(info),
    domain: info && info.domain !== ERROR_DOMAIN ? word(info.domain, DOMAIN) : undefined,
    cause: causeOf(error),
    attempts: info?.domain === ERROR_DOMAIN && Number.isInteger(attempts) ? attempts : undefined,
  };
}

/** How deep causes are followed; a chain may be a ring. */
const MAX_CAUSES = 8;

/** https://google.aip.dev/193: upper snake case, at most 63 characters; some APIs of Google's send camel case. */
const REASON = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;
const DOMAIN = /^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$/;
/** Codes of Node.js, OpenSSL and undici, and kinds of our own. */
const CODE = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

const OTHER = "_OTHER";

/** The ErrorInfo that counts: the gateway's own, else the upstream's. */
function infoOf(error: ConnectError): ErrorInfo | undefined {
  const infos = error.findDetails(ErrorInfoSchema);
  return infos.find(({ domain }) => domain === ERROR_DOMAIN) ?? infos[0];
}

function reasonOf(info: ErrorInfo | undefined): string | undefined {
  return info && word(info.reason, REASON);
}

function word(text: string, form: RegExp): string {
  return form.test(text) ? text : OTHER;
}

/**
 * What lies at the bottom of a failure: the code of the system, of TLS or of undici (`ECONNREFUSED`,
 * `DEPTH_ZERO_SELF_SIGNED_CERT`, `UND_ERR_SOCKET`), else the kind of the failure inside (`headers-timeout`), else its
 * reason; of several the innermost.
 */
export function causeOf(error: Error): string | undefined {
  let code: string | undefined;
  let kind: string | undefined;
  let reason: string | undefined;
  let cause: unknown = error.cause;
  for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++) {
    code = wordIn(cause, "code") ?? code;
    kind = wordIn(cause, "kind") ?? kind;
    if (cause instanceof ConnectError) reason = reasonOf(infoOf(cause)) ?? reason;
    // Node tries all addresses of a host and reports them together.
    cause = cause.cause ?? (cause instanceof AggregateError ? cause.errors[0] : undefined);
  }
  return code ?? kind ?? reason;
}

function wordIn(error: Error, field: "code" | "kind"): string | undefined {
  const value: unknown = Reflect.get(error, field);
  return typeof value === "string" && CODE.test(value) ? value : undefined;
}
