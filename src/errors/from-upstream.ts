import { isMessage, type JsonValue } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type ErrorInfo,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { readTyped, structOf, type TypedReading } from "../lib/any-json.ts";
import { codeName } from "../lib/code-names.ts";
import type { JsonDocument, JsonObject } from "../lib/json-document.ts";
import type { RestResponse } from "../lib/rest.ts";
import { type ErrorBody, readErrorBody } from "./error-body.ts";
import { codeFromHttp, codeFromName } from "./http-code.ts";
import { errorInfo, isReason, LAYER_HEADER, type Reason, retryInfo } from "./reasons.ts";
import { redact } from "./redact.ts";
import { parseRetryAfter } from "./retry-after.ts";

/** Response metadata of an error: the HTTP status of the upstream's answer, e.g. `404`. */
export const UPSTREAM_STATUS_HEADER = "lro-upstream-status";

/** Response metadata: the upstream's own id of the failed request, where it gave one. */
export const UPSTREAM_REQUEST_ID_HEADER = "lro-upstream-request-id";

/** What decoding an error needs to know beside the answer itself. */
export interface UpstreamErrorContext {
  /** Whose credentials the request carried: a refusal is the fault of whoever they belong to. */
  readonly credentials: "adc" | "caller" | "none";
  /** Requests sent for this call so far. */
  readonly attempts: number;
  /** Wall clock, milliseconds since the Unix epoch; Retry-After may be a date. */
  readonly now: number;
}

/** What the body (or its absence) comes to, before details. */
interface Verdict {
  readonly code: Code;
  /** Of the gateway's ErrorInfo, added only where the upstream has none of its own. */
  readonly reason: Reason;
  readonly message: string;
  readonly layer: "credentials" | "upstream";
}

/**
 * Turns an HTTP error answer of the upstream into the error its caller gets: the code that the body names, else the
 * one of the HTTP status; the message; every detail on its own. Never throws, whatever the body is.
 */
export function errorFromResponse(response: RestResponse, context: UpstreamErrorContext): ConnectError {
  const redirect = response.status >= 300 && response.status < 400;
  // Whoever redirects is not the API, and what it says of codes and details means nothing.
  const body = redirect ? NOTHING_SAID : readErrorBody(response.body);
  const verdict = refusedCredentials(judge(body, response, context), response, context);
  const error = new ConnectError(redact(verdict.message).toWellFormed(), verdict.code);
  for (const { desc, message } of details(body)) error.details.push({ desc, value: message });
  addRetryInfo(error, response, context);
  addErrorInfo(error, verdict, response, context);
  error.metadata.set(UPSTREAM_STATUS_HEADER, String(response.status));
  error.metadata.set(LAYER_HEADER, verdict.layer);
  const requestId = upstreamRequestId(response) ?? requestIdOf(error);
  if (requestId !== undefined) error.metadata.set(UPSTREAM_REQUEST_ID_HEADER, requestId);
  return error;
}

const NOTHING_SAID: ErrorBody = { shape: "other" };

const REQUEST_ID_HEADERS = ["x-goog-request-id", "x-request-id", "x-cloud-trace-context"];

/** The upstream's id of a request, from its response headers; `undefined` if none is a plain token of ≤ 128 characters. */
export function upstreamRequestId(response: Pick<RestResponse, "headers">): string | undefined {
  for (const name of REQUEST_ID_HEADERS) {
    const id = response.headers[name];
    if (isPlainId(id)) return id;
  }
  return undefined;
}

function isPlainId(id: string | undefined): id is string {
  return id !== undefined && /^[\x21-\x7e]{1,128}$/.test(id);
}

/** The code by the order: name in the body, number in the body where it is a google.rpc one, HTTP status. */
function judge(body: ErrorBody, response: RestResponse, context: UpstreamErrorContext): Verdict {
  const fromHttp = codeFromHttp(response.status, body.shape !== "other" || isLostJson(response));
  switch (body.shape) {
    case "google":
      return verdict(codeFromName(body.error["status"]) ?? fromHttp, text(body.error["message"]), response);
    case "status":
      return verdict(bareCode(body.error["code"]) ?? fromHttp, text(body.error["message"]), response);
    case "oauth":
      return oauthVerdict(body.error, body.description, fromHttp, response, context);
    case "json":
      return verdict(fromHttp, "", response);
    case "other":
      return otherVerdict(fromHttp, response);
  }
}

/** JSON was announced, and the connection broke before its first byte: an answer of the API all the same. */
function isLostJson({ headers, body }: RestResponse): boolean {
  return (
    body.length === 0 &&
    Number(headers["content-length"]) > 0 &&
    /^\s*application\/(?:[\w.-]+\+)?json\b/i.test(headers["content-type"] ?? "")
  );
}

/** `code` of a bare Status: a google.rpc number, or, from some proxies, an HTTP one. Never 0, which reads as success. */
function bareCode(json: JsonValue | undefined): Code | undefined {
  const code = Number(json);
  if (Number.isInteger(code) && code >= 1 && code <= 16) return code;
  return code >= 100 && code <= 599 ? codeFromHttp(code, true) : undefined;
}

/**
 * What a token endpoint says. Seen from the caller, it is his fault only if the credentials are his; a token service
 * that is down is nobody's.
 */
function oauthVerdict(
  error: string,
  description: string,
  fromHttp: Code,
  response: RestResponse,
  context: UpstreamErrorContext,
): Verdict {
  const message = [error, description].filter((part) => part !== "").join(": ");
  if (!OAUTH_ERRORS.has(error) && !TEMPORARY.has(error)) return verdict(fromHttp, message, response);
  const temporary = response.status >= 500 || TEMPORARY.has(error);
  if (temporary && context.credentials === "adc")
    return { code: Code.Unavailable, reason: "CREDENTIALS_UNAVAILABLE", message, layer: "credentials" };
  if (temporary) return verdict(response.status >= 500 ? fromHttp : Code.Unavailable, message, response);
  if (context.credentials === "adc")
    return { code: Code.Internal, reason: "CREDENTIALS_MISCONFIGURED", message, layer: "credentials" };
  return { ...verdict(Code.Unauthenticated, message, response), layer: "credentials" };
}

/** What token endpoints say of credentials (RFC 6749 §5.2, RFC 6750 §3.1, RFC 8693, and Google's own). */
const OAUTH_ERRORS: ReadonlySet<string> = new Set([
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "invalid_scope",
  "invalid_target",
  "invalid_token",
  "unauthorized_client",
  "unsupported_grant_type",
  "access_denied",
  "expired_token",
  "admin_policy_enforced",
  "deleted_client",
  "disabled_client",
  "org_internal",
]);

const TEMPORARY: ReadonlySet<string> = new Set([
  "temporarily_unavailable",
  "server_error",
  "internal_failure",
]);

/** Neither JSON nor anything to quote: what came is named, never shown. */
function otherVerdict(code: Code, response: RestResponse): Verdict {
  const { status } = response;
  if (status >= 300 && status < 400)
    return {
      code,
      reason: "UPSTREAM_REDIRECT",
      message: `HTTP ${status} from upstream: redirects are not followed; check upstream.endpoint`,
      layer: "upstream",
    };
  if (code !== Code.Unimplemented) return verdict(code, "", response);
  return {
    code,
    reason: "UPSTREAM_PATH_UNKNOWN",
    message: `${described(response)}: no such method there; check upstream.endpoint and upstream.api_version`,
    layer: "upstream",
  };
}

function verdict(code: Code, text: string, response: RestResponse): Verdict {
  const said = text || described(response);
  // Callers of an operations API would read CANCELLED as news of their operation.
  const message = code === Code.Canceled ? `${said} (the request was cancelled, not the operation)` : said;
  return { code, reason: upstreamReason(code), message, layer: "upstream" };
}

/**
 * The gateway's own credentials were refused: the caller can do nothing about it, and must not be told to log in.
 * A proxy's 401 counts too; only a body that names another code does not.
 */
function refusedCredentials(found: Verdict, response: RestResponse, context: UpstreamErrorContext): Verdict {
  if (found.code !== Code.Unauthenticated) return found;
  if (context.credentials !== "adc") return { ...found, layer: "credentials" };
  return {
    code: Code.Internal,
    reason: "UPSTREAM_CREDENTIALS_REJECTED",
    message: `the upstream refused the gateway's own credentials (HTTP ${response.status}): ${found.message}`,
    layer: "credentials",
  };
}

/**
 * Details that are read of one error. An answer has room for 82 of the smallest (fit.ts), and each that has to be cut
 * again costs a look at all the others.
 */
const DETAILS_MAX = 100;

/** Every detail of the body on its own; legacy `errors` too, which have no type. */
function details(body: ErrorBody): TypedReading[] {
  if (body.shape !== "google" && body.shape !== "status") return [];
  const { error, document } = body;
  return [...list(error["details"], document), ...list(error["errors"], document)]
    .slice(0, DETAILS_MAX)
    .map((item) => readTyped(item, document))
    .filter((detail) => detail !== undefined);
}

/** The elements that are all there: a body may break off inside one. */
function list(json: JsonValue | undefined, document: JsonDocument): JsonValue[] {
  if (json === undefined || json === null) return [];
  const items = Array.isArray(json) ? json : [json];
  return items.filter((item) => item !== null && (typeof item !== "object" || isWhole(item, document)));
}

function isWhole(item: JsonObject | JsonValue[], document: JsonDocument): boolean {
  return (
    document.isWhole(item) &&
    Object.values(item).every(
      (value) => typeof value !== "object" || value === null || isWhole(value, document),
    )
  );
}

function addRetryInfo(error: ConnectError, response: RestResponse, context: UpstreamErrorContext): void {
  if (error.details.some((detail) => "desc" in detail && detail.desc.typeName === RetryInfoSchema.typeName))
    return;
  const delay = parseRetryAfter(response.headers["retry-after"], context.now);
  if (delay !== undefined) error.details.push({ desc: RetryInfoSchema, value: retryInfo(delay) });
}

/**
 * One ErrorInfo at most that clients read: theirs if they sent one. Where the gateway's own must stand (its own
 * credentials were refused), the upstream's is kept as a Struct, and its reason is repeated in the metadata.
 */
function addErrorInfo(
  error: ConnectError,
  verdict: Verdict,
  response: RestResponse,
  context: UpstreamErrorContext,
): void {
  const metadata: Record<string, string> = {
    httpStatus: String(response.status),
    attempts: String(context.attempts),
  };
  const theirs = error.details.findIndex((detail) => "desc" in detail && isErrorInfo(detail.value));
  if (theirs >= 0) {
    if (verdict.reason !== "UPSTREAM_CREDENTIALS_REJECTED") return;
    for (const [at, detail] of error.details.entries()) {
      if (!("desc" in detail) || !isErrorInfo(detail.value)) continue;
      metadata["upstreamReason"] ??= detail.value.reason;
      metadata["upstreamDomain"] ??= detail.value.domain;
      error.details[at] = { desc: StructSchema, value: structOf(ErrorInfoSchema, detail.value) };
    }
  }
  error.details.push({ desc: ErrorInfoSchema, value: errorInfo(verdict.reason, metadata) });
}

function isErrorInfo(value: unknown): value is ErrorInfo {
  return isMessage(value, ErrorInfoSchema);
}

/** The request id that a RequestInfo detail names. */
function requestIdOf(error: ConnectError): string | undefined {
  return error
    .findDetails(RequestInfoSchema)
    .map((info) => info.requestId)
    .find(isPlainId);
}

function upstreamReason(code: Code): Reason {
  const reason = `UPSTREAM_${codeName(code)}`;
  return isReason(reason) ? reason : "UPSTREAM_UNKNOWN";
}

/** A message as text; a page that somebody has put into one is none. */
function text(json: JsonValue | undefined): string {
  const message = typeof json === "string" ? json.trim() : "";
  return /^<(?:!doctype|html|\?xml)\b/i.test(message) ? "" : message;
}

/** `HTTP 502 from upstream (text/html)`: status and media type, both harmless. */
function described(response: RestResponse): string {
  const type = /^\s*([\w.+-]+\/[\w.+-]+)/.exec(response.headers["content-type"] ?? "")?.[1];
  const empty = response.body.length === 0 && !isLostJson(response);
  return `HTTP ${response.status} from upstream (${empty ? "empty body" : (type ?? "no content type")})`;
}
