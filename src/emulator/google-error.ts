import { type JsonObject, typeUrl } from "./json.ts";
import { jsonReply, type Reply } from "./reply.ts";

/** An error in the form of AIP-193: `{"error": {code, message, status, details}}`; `code` is the HTTP status. */
export function googleError(
  httpStatus: number,
  status: string,
  message: string,
  details: readonly JsonObject[] = [],
  headers: Record<string, string> = {},
): Reply {
  return jsonReply(httpStatus, { error: errorObject(httpStatus, status, message, details) }, headers);
}

/** What stands under the key `error`. */
export function errorObject(
  httpStatus: number,
  status: string,
  message: string,
  details: readonly JsonObject[] = [],
): JsonObject {
  return { code: httpStatus, message, status, details: details.length > 0 ? details : undefined };
}

/** INVALID_ARGUMENT with one google.rpc.BadRequest violation, as Google's JSON transcoder words it. */
export function badRequest(message: string, field?: string): Reply {
  return googleError(400, "INVALID_ARGUMENT", message, [
    {
      "@type": typeUrl("google.rpc.BadRequest"),
      fieldViolations: [{ field, description: message }],
    },
  ]);
}

/** A google.rpc.ErrorInfo; `domain` is `googleapis.com` for what the API infrastructure refuses. */
export function errorInfo(reason: string, metadata: JsonObject = {}, domain = "googleapis.com"): JsonObject {
  return { "@type": typeUrl("google.rpc.ErrorInfo"), reason, domain, metadata };
}

/** The answer for a name that the API can read but that names nothing. */
export function notFound(what: string): Reply {
  return googleError(404, "NOT_FOUND", `${what} not found.`);
}
