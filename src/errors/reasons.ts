import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";

/** Why a call failed, for programs: stable for ever, never reused, documented one by one in docs/errors.md. */
export interface ReasonEntry {
  readonly code: Code;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** What happened, in one sentence that is safe to show to anybody. */
  readonly text: string;
}

/** The catalogue of everything that the gateway itself says is wrong. Grouped by the layer that says it. */
export const REASONS = {
  // The request.
  NAME_INVALID: row(Code.InvalidArgument, "A resource name is not one that this gateway may send."),
  FIELD_INVALID: row(Code.InvalidArgument, "A field of the request has a value that is not allowed."),
  REQUEST_MALFORMED: row(Code.InvalidArgument, "The request could not be decoded."),
  REQUEST_TOO_LARGE: row(Code.ResourceExhausted, "The request message is larger than this gateway reads."),
  REQUEST_MESSAGE_COUNT: row(Code.Unimplemented, "The request holds no message, or more than one."),
  COMPRESSION_UNNAMED: row(Code.Internal, "A message is marked as compressed, but no header says how."),
  TIMEOUT_MALFORMED: row(Code.InvalidArgument, "The timeout header of the request is not valid."),
  METHOD_UNKNOWN: row(Code.Unimplemented, "The gateway does not serve this method."),
  METHOD_WITHOUT_RULE: row(Code.Unimplemented, "No HTTP rule says how to call this method on the upstream."),
  COMPRESSION_UNKNOWN: row(
    Code.Unimplemented,
    "The request is compressed in a way the gateway does not know.",
  ),
  HEALTH_NAME_UNKNOWN: row(Code.NotFound, "The health service knows no service of this name."),
  ORIGIN_NOT_ALLOWED: row(Code.PermissionDenied, "Web pages of this origin may not call the gateway."),
  // The call.
  DEADLINE_PASSED: row(Code.DeadlineExceeded, "The caller's deadline passed before there was an answer."),
  CALLER_GONE: row(Code.Canceled, "The caller cancelled the call or hung up."),
  // The gateway.
  GATEWAY_BUG: row(Code.Internal, "The gateway failed in a way it should not."),
  GATEWAY_DRAINING: again(Code.Unavailable, "The gateway is shutting down."),
  GATEWAY_OVERLOADED: again(Code.ResourceExhausted, "The gateway has as many calls as it takes."),
  // Waiting, watching and cancelling.
  TOO_MANY_WATCHES: again(Code.ResourceExhausted, "The gateway has as many waits and watches as it takes."),
  TOO_MANY_OPERATIONS: again(Code.ResourceExhausted, "The gateway tracks as many operations as it can."),
  COLLECTION_TOO_LARGE: row(
    Code.ResourceExhausted,
    "More operations match than the gateway tracks for one stream.",
  ),
  SLOW_READER: again(Code.ResourceExhausted, "The caller has not read from its stream for too long."),
  STREAM_EXPIRED: again(
    Code.Unavailable,
    "The stream has reached the age at which the gateway ends streams.",
  ),
  NOTHING_READ: again(Code.Unavailable, "The operation could not be read before the time was up."),
  OPERATION_DONE: row(Code.FailedPrecondition, "The operation was done before the cancel."),
  CANCEL_UNRESOLVED: again(Code.Unavailable, "What became of the cancel was not known in time."),
  // Credentials towards the upstream.
  CREDENTIALS_MISSING: row(Code.Unauthenticated, "The call carries no bearer token to forward."),
  CREDENTIALS_MALFORMED: row(
    Code.Unauthenticated,
    "The authorization header of the call is not a bearer token.",
  ),
  CREDENTIALS_UNAVAILABLE: again(
    Code.Unavailable,
    "The gateway could not get a token for the upstream just now.",
  ),
  CREDENTIALS_MISCONFIGURED: row(Code.Internal, "The gateway's own credentials are not usable."),
  UPSTREAM_CREDENTIALS_REJECTED: row(Code.Internal, "The upstream refused the gateway's own credentials."),
  // The upstream, when there was no usable answer.
  UPSTREAM_UNREACHABLE: again(Code.Unavailable, "No connection to the upstream could be made."),
  UPSTREAM_TLS_FAILED: row(Code.Unavailable, "The TLS handshake with the upstream failed."),
  UPSTREAM_RESET: again(
    Code.Unavailable,
    "The upstream broke the connection off before its answer was complete.",
  ),
  UPSTREAM_TIMEOUT: row(
    Code.DeadlineExceeded,
    "The upstream did not answer in the time the gateway gives it.",
  ),
  UPSTREAM_TOO_LARGE: row(Code.ResourceExhausted, "The upstream's answer is larger than the gateway reads."),
  UPSTREAM_MALFORMED: row(Code.Internal, "The upstream's answer is not what its API promises."),
  UPSTREAM_REDIRECT: row(Code.Unknown, "The upstream answered with a redirect, which is not followed."),
  UPSTREAM_PATH_UNKNOWN: row(Code.Unimplemented, "A server that does not know the API's path answered."),
  LIST_TOO_LARGE: row(Code.ResourceExhausted, "A page of operations is larger than clients accept."),
  // The upstream's own errors that came without an ErrorInfo: one for each code.
  UPSTREAM_CANCELLED: row(Code.Canceled, "The upstream cancelled the request (not the operation)."),
  UPSTREAM_UNKNOWN: row(Code.Unknown, "The upstream failed and did not say why."),
  UPSTREAM_INVALID_ARGUMENT: row(Code.InvalidArgument, "The upstream found the request wrong."),
  UPSTREAM_DEADLINE_EXCEEDED: row(Code.DeadlineExceeded, "The upstream ran out of time."),
  UPSTREAM_NOT_FOUND: row(Code.NotFound, "The upstream does not know the resource."),
  UPSTREAM_ALREADY_EXISTS: row(Code.AlreadyExists, "The upstream has such a resource already."),
  UPSTREAM_PERMISSION_DENIED: row(Code.PermissionDenied, "The upstream does not allow it."),
  UPSTREAM_RESOURCE_EXHAUSTED: again(Code.ResourceExhausted, "A quota of the upstream is used up."),
  UPSTREAM_FAILED_PRECONDITION: row(Code.FailedPrecondition, "The resource is not in the state for it."),
  UPSTREAM_ABORTED: row(Code.Aborted, "Another change of the same resource was in the way."),
  UPSTREAM_OUT_OF_RANGE: row(Code.OutOfRange, "The upstream found a value beyond its range."),
  UPSTREAM_UNIMPLEMENTED: row(Code.Unimplemented, "The upstream does not offer it."),
  UPSTREAM_INTERNAL: row(Code.Internal, "The upstream failed."),
  UPSTREAM_UNAVAILABLE: again(Code.Unavailable, "The upstream is not available just now."),
  UPSTREAM_DATA_LOSS: row(Code.DataLoss, "The upstream lost data."),
  UPSTREAM_UNAUTHENTICATED: row(Code.Unauthenticated, "The upstream refused the caller's credentials."),
} as const satisfies Record<string, ReasonEntry>;

/** The `reason` of the gateway's ErrorInfo. */
export type Reason = keyof typeof REASONS;

/** The `domain` of the gateway's ErrorInfo: together with the reason it names the error uniquely (AIP-193). */
export const ERROR_DOMAIN = "lro-gateway";

/** Response metadata of an error: which layer failed, `gateway`, `credentials` or `upstream`. */
export const LAYER_HEADER = "lro-error-layer";

/** Who failed. */
export type ErrorLayer = "gateway" | "credentials" | "upstream";

/** What can be said of an error beside its reason and message. */
export interface GatewayErrorOptions {
  /** Becomes a google.rpc.BadRequest. `field` is a path of proto field names. */
  readonly fieldViolations?: readonly { readonly field: string; readonly description: string }[];
  /** Becomes a google.rpc.RetryInfo. Milliseconds; negative counts as 0. */
  readonly retryDelayMs?: number;
  /** `metadata` of the ErrorInfo: lowerCamelCase keys, nothing secret. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** For logs; never leaves the process. */
  readonly cause?: unknown;
  /** Default `gateway`. */
  readonly layer?: ErrorLayer;
}

/**
 * The only way in which the gateway itself says that something is wrong: the reason decides the code, and exactly one
 * ErrorInfo carries it. `message` reaches the caller: say what to do, and nothing secret.
 */
export function gatewayError(
  reason: Reason,
  message: string,
  options: GatewayErrorOptions = {},
): ConnectError {
  const error = new ConnectError(message.toWellFormed(), REASONS[reason].code);
  error.metadata.set(LAYER_HEADER, options.layer ?? "gateway");
  error.cause = options.cause;
  error.details.push({ desc: ErrorInfoSchema, value: errorInfo(reason, options.metadata) });
  const violations = options.fieldViolations ?? [];
  if (violations.length > 0) {
    const fieldViolations = violations.map(({ field, description }) => ({
      field: field.toWellFormed(),
      description: description.toWellFormed(),
    }));
    error.details.push({ desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) });
  }
  if (options.retryDelayMs !== undefined)
    error.details.push({ desc: RetryInfoSchema, value: retryInfo(options.retryDelayMs) });
  return error;
}

/** The ErrorInfo of a reason of the gateway's own. */
export function errorInfo(reason: Reason, metadata: Readonly<Record<string, string>> = {}): ErrorInfo {
  const wellFormed = Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key, value.toWellFormed()]),
  );
  return create(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata: wellFormed });
}

/** The reason of an error that is the gateway's own, here or in another process of it; `undefined` for any other. */
export function ownReason(error: ConnectError): Reason | undefined {
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === ERROR_DOMAIN);
  return info !== undefined && isReason(info.reason) ? info.reason : undefined;
}

/** Whether a word is a reason of the catalogue. */
export function isReason(word: string): word is Reason {
  return Object.hasOwn(REASONS, word);
}

/** A RetryInfo of so many milliseconds. */
export function retryInfo(delayMs: number): RetryInfo {
  const ms = Math.max(0, Math.round(delayMs));
  return create(RetryInfoSchema, {
    retryDelay: { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 },
  });
}

function row(code: Code, text: string): ReasonEntry {
  return { code, retryable: false, text };
}

function again(code: Code, text: string): ReasonEntry {
  return { code, retryable: true, text };
}
