import type { DescMethod } from "@bufbuild/protobuf";
import { REASONS, type Reason } from "../errors/reasons.ts";
import type { ResponseHeaders } from "../listen/transport.ts";
import { ACCEPT_POST } from "./content-type.ts";

/** The answer, by HTTP alone, to a request that is no RPC yet: one line of text for whoever tries the gateway by hand. */
export interface HttpRefusal {
  readonly httpStatus: number;
  readonly reason: Reason;
  readonly headers: ResponseHeaders;
  readonly body: Buffer;
}

/** Nothing is served at the path. */
export const NO_SUCH_PATH = refusal(
  404,
  "METHOD_UNKNOWN",
  "Calls go to /package.Service/Method, for example POST /google.longrunning.Operations/GetOperation.",
);

/** The Host, or `:authority`, is none. */
export const BAD_AUTHORITY = refusal(
  400,
  "REQUEST_MALFORMED",
  "Its Host header (:authority) is not a host name or address with an optional port.",
);

/** A call by another HTTP method than POST (Method-Post of https://connectrpc.com/docs/protocol#unary-request). */
export const NOT_A_POST = refusal(405, "REQUEST_MALFORMED", "Calls are sent by POST.", { allow: "POST" });

/** A GET whose query names no encoding of https://connectrpc.com/docs/protocol#unary-get-request. */
export const BAD_GET_ENCODING = refusal(
  415,
  "REQUEST_MALFORMED",
  "A GET names in its query the encoding of its message, encoding=json or encoding=proto.",
);

/** A web page that may not call, and no call that could be answered in its protocol. */
export const ORIGIN_DENIED = refusal(
  403,
  "ORIGIN_NOT_ALLOWED",
  "List it in cors.allowed_origins if they should.",
  { vary: "Origin" },
);

/**
 * A content type that no protocol has, or that is not for this kind of method: 415 in all of them, so that no client of
 * HTTP takes the error of an RPC for success.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests (Content-Type),
 * https://connectrpc.com/docs/protocol#streaming-request
 */
export function badContentType(method: DescMethod | undefined): HttpRefusal {
  return method === undefined || method.methodKind === "unary" ? UNARY_TYPE : STREAM_TYPE;
}

const ACCEPT = { "accept-post": ACCEPT_POST };
const UNARY_TYPE = refusal(
  415,
  "REQUEST_MALFORMED",
  "Send content-type: application/json with JSON.",
  ACCEPT,
);
const STREAM_TYPE = refusal(
  415,
  "REQUEST_MALFORMED",
  "This method streams: send content-type: application/connect+json with JSON in an envelope, or call it by a client of " +
    "gRPC, gRPC-Web or Connect.",
  ACCEPT,
);

function refusal(
  httpStatus: number,
  reason: Reason,
  advice: string,
  headers: ResponseHeaders = {},
): HttpRefusal {
  return {
    httpStatus,
    reason,
    headers: { ...headers, "content-type": "text/plain; charset=utf-8" },
    body: Buffer.from(`${reason}: ${REASONS[reason].text} ${advice}\n`),
  };
}
