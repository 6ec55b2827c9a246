import { isMessage } from "@bufbuild/protobuf";
import { type Struct, StructSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import {
  type ErrorInfo,
  ErrorInfoSchema,
  QuotaFailureSchema,
} from "../../../gen/google/rpc/error_details_pb.ts";
import type { Config } from "../../config/config.ts";
import { ownReason } from "../../errors/reasons.ts";
import { isSuggested, retryDelayMs } from "../../errors/retry-delay.ts";

/**
 * What a failed read means to those who wait.
 *
 * - `ends`: it is about the operation or the caller, and no later read will be better.
 * - `limited`: there were too many reads; nothing is wrong with this one.
 * - `passes`: everything else. It is retried inside the wait.
 */
export type FailureMeaning = "ends" | "limited" | "passes";

/**
 * Judges a failed read by its code and details, never by its text. A 404 that is no JSON, from a front end, is
 * UNIMPLEMENTED and passes; a 403 that means a quota counts as 429.
 */
export function meaningOf(
  error: ConnectError,
  credentials: Config["upstream"]["credentials"],
): FailureMeaning {
  switch (error.code) {
    case Code.NotFound:
    case Code.InvalidArgument:
      return "ends";
    case Code.PermissionDenied:
      return isQuota(error) ? "limited" : "ends";
    case Code.Unauthenticated:
      // Without a token of the caller's there is nobody who could log in again.
      return credentials === "caller" ? "ends" : "passes";
    case Code.ResourceExhausted:
      return isUpstreams(error) ? "limited" : "passes";
    case Code.Unimplemented:
      return ownReason(error) === "METHOD_WITHOUT_RULE" ? "ends" : "passes";
    default:
      return "passes";
  }
}

/** How long the upstream wants to be left alone, milliseconds; `undefined` when it did not say. */
export function retryAfter(error: ConnectError): number | undefined {
  return isSuggested(error) ? undefined : retryDelayMs(error);
}

/** RESOURCE_EXHAUSTED may be of the gateway's own making: no free connection, an answer that is too large. */
function isUpstreams(error: ConnectError): boolean {
  const reason = ownReason(error);
  return reason === undefined || reason === "UPSTREAM_RESOURCE_EXHAUSTED";
}

/** Reasons of https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto, and their forerunners. */
const QUOTA_REASONS: ReadonlySet<string> = new Set([
  "RATE_LIMIT_EXCEEDED",
  "RESOURCE_QUOTA_EXCEEDED",
  "rateLimitExceeded",
  "userRateLimitExceeded",
  "quotaExceeded",
  "dailyLimitExceeded",
]);

function isQuota(error: ConnectError): boolean {
  if (error.findDetails(QuotaFailureSchema).length > 0) return true;
  if (error.findDetails(ErrorInfoSchema).some((info: ErrorInfo) => QUOTA_REASONS.has(info.reason)))
    return true;
  // The `errors` of the older error format have no type and stand as Structs.
  return error.details.some((detail) => "desc" in detail && hasQuotaReason(detail.value));
}

function hasQuotaReason(value: unknown): boolean {
  if (!isMessage(value, StructSchema)) return false;
  const reason = (value satisfies Struct).fields["reason"]?.kind;
  return reason?.case === "stringValue" && QUOTA_REASONS.has(reason.value);
}
