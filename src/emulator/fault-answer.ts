import { CODE_NAMES } from "../lib/code-names.ts";
import { frontEndPage } from "./front-end-page.ts";
import { errorObject, googleError } from "./google-error.ts";
import { codeForStatus, HTTP_STATUS_OF, legacyReason } from "./http-codes.ts";
import type { ObjectReader } from "./input.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import { REFUSAL_REASONS, type RefusalFacts, type RefusalReason, refusal } from "./refusal.ts";
import { jsonReply, type Reply, textReply } from "./reply.ts";

/** Forms that the body of an injected answer can have. */
const FAULT_SHAPES = [
  "error",
  "array",
  "status",
  "legacy",
  "oauth",
  "html",
  "text",
  "empty",
  "json",
] as const;

/** An answer that a fault gives in place of the true one. */
export interface FaultAnswer {
  /** HTTP status. Default: that of `code`, or 503. */
  readonly status?: number | undefined;
  /**
   * Form of the body. `error` (default): `{"error": {...}}` as AIP-193 has it. `array`: a list of one such object.
   * `status`: a google.rpc.Status without a frame, its code a google.rpc number. `legacy`: `error.errors` without
   * `status`. `oauth`: `{"error": "invalid_grant", ...}`. `html`: the page of Google's front end. `text`, `empty`.
   * `json`: the JSON in `body`.
   */
  readonly shape?: (typeof FAULT_SHAPES)[number] | undefined;
  /** Name of the google.rpc code, e.g. `ABORTED`. Default: what the status means. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** `error.details`; each with its `@type`. */
  readonly details?: readonly JsonObject[] | undefined;
  /** The body itself: a string is sent as it is, any other value as JSON. */
  readonly body?: Json | undefined;
  /** Content-Type, in place of that of the shape. */
  readonly contentType?: string | undefined;
  /** More response headers, or others. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A refusal of Google's infrastructure, complete: status, message, details and headers. Goes with `headers` only. */
  readonly reason?: RefusalReason | undefined;
  /** Seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined;
}

/** Reads the `answer` of a fault. Throws a RangeError that names a wrong key. */
export function readFaultAnswer(input: ObjectReader): FaultAnswer {
  const details = input.json("details");
  if (details !== undefined && !(Array.isArray(details) && details.every(isJsonObject))) {
    throw new RangeError("fault.answer.details must be a list of objects");
  }
  const headers = input.object("headers");
  const answer: FaultAnswer = {
    status: input.number("status", 100),
    shape: input.oneOf("shape", FAULT_SHAPES),
    code: input.oneOf("code", Object.keys(HTTP_STATUS_OF)),
    message: input.string("message"),
    details,
    body: input.json("body"),
    contentType: input.string("contentType"),
    headers:
      headers &&
      Object.fromEntries(headers.keys().map((key) => [key.toLowerCase(), headers.string(key) ?? ""])),
    reason: input.oneOf("reason", REFUSAL_REASONS),
    retryAfterSeconds: input.number("retryAfterSeconds"),
  };
  input.end();
  const { status } = answer;
  if (status !== undefined && !(Number.isInteger(status) && status >= 200 && status <= 999)) {
    throw new RangeError(`fault.answer.status must be a whole number from 200 to 999, got ${status}`);
  }
  return answer;
}

/** Builds the answer; `facts` and `target` are those of the request that it answers. */
export function faultReply(answer: FaultAnswer, facts: RefusalFacts, target: string, verb: string): Reply {
  const reply = bareReply(answer, facts, target, verb);
  return {
    status: reply.status,
    headers: {
      ...reply.headers,
      ...(answer.retryAfterSeconds === undefined ? {} : { "retry-after": String(answer.retryAfterSeconds) }),
      ...(answer.contentType === undefined ? {} : { "content-type": answer.contentType }),
      ...answer.headers,
    },
    content: reply.content,
  };
}

function bareReply(answer: FaultAnswer, facts: RefusalFacts, target: string, verb: string): Reply {
  if (answer.reason) return refusal(answer.reason, { ...facts, retryAfter: null });
  const status = answer.status ?? HTTP_STATUS_OF[answer.code ?? "UNAVAILABLE"] ?? 503;
  const code = answer.code ?? codeForStatus(status);
  const message = answer.message ?? "The service is currently unavailable.";
  const details = answer.details ?? [];
  if (answer.body !== undefined) return bodyReply(status, answer.body);
  switch (answer.shape ?? "error") {
    case "error":
      return googleError(status, code, message, details);
    case "array":
      return jsonReply(status, [{ error: errorObject(status, code, message, details) }]);
    case "status":
      return jsonReply(status, { code: CODE_NAMES.indexOf(code), message, details });
    case "legacy":
      return jsonReply(status, {
        error: {
          code: status,
          message,
          errors: [{ message, domain: "global", reason: legacyReason(status) }],
        },
      });
    case "oauth":
      return jsonReply(status, { error: "invalid_grant", error_description: message });
    case "html":
      return frontEndPage(status, target, verb);
    case "text":
      return textReply(status, "text/plain; charset=utf-8", `${message}\n`);
    case "empty":
    case "json":
      return { status, headers: {}, content: { type: "none" } };
  }
}

function bodyReply(status: number, body: Json): Reply {
  return typeof body === "string"
    ? textReply(status, "text/plain; charset=utf-8", body)
    : jsonReply(status, body);
}
