import { fromBinary, type JsonObject, type Registry, toJson } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { bytesOf, type Detail, typeOf } from "../../errors/detail.ts";

/** Code → name on the wire and HTTP status. https://connectrpc.com/docs/protocol#error-codes */
const CODES: Readonly<Record<Code, readonly [name: string, status: number]>> = {
  [Code.Canceled]: ["canceled", 499],
  [Code.Unknown]: ["unknown", 500],
  [Code.InvalidArgument]: ["invalid_argument", 400],
  [Code.DeadlineExceeded]: ["deadline_exceeded", 504],
  [Code.NotFound]: ["not_found", 404],
  [Code.AlreadyExists]: ["already_exists", 409],
  [Code.PermissionDenied]: ["permission_denied", 403],
  [Code.ResourceExhausted]: ["resource_exhausted", 429],
  [Code.FailedPrecondition]: ["failed_precondition", 400],
  [Code.Aborted]: ["aborted", 409],
  [Code.OutOfRange]: ["out_of_range", 400],
  [Code.Unimplemented]: ["unimplemented", 501],
  [Code.Internal]: ["internal", 500],
  [Code.Unavailable]: ["unavailable", 503],
  [Code.DataLoss]: ["data_loss", 500],
  [Code.Unauthenticated]: ["unauthenticated", 401],
};

/** The HTTP status of a unary answer with this error. https://connectrpc.com/docs/protocol#unary-response */
export function connectHttpStatus(error: ConnectError): number {
  return CODES[error.code]?.[1] ?? 500;
}

/**
 * An error in JSON. Details are base64 without padding; `debug` shows them in plain where `registry` knows how.
 * https://connectrpc.com/docs/protocol#error-end-stream
 */
export function connectErrorToJson(error: ConnectError, registry: Registry): JsonObject {
  const json: JsonObject = { code: CODES[error.code]?.[0] ?? "unknown" };
  if (error.rawMessage !== "") json.message = error.rawMessage.toWellFormed();
  if (error.details.length > 0) json.details = error.details.map((detail) => detailToJson(detail, registry));
  return json;
}

function detailToJson(detail: Detail, registry: Registry): JsonObject {
  const desc = "desc" in detail ? detail.desc : registry.getMessage(detail.type);
  const value = bytesOf(detail);
  const json: JsonObject = {
    type: typeOf(detail),
    value: Buffer.from(value).toString("base64").replace(/=+$/, ""),
  };
  try {
    if (desc) json["debug"] = toJson(desc, fromBinary(desc, value), { registry });
  } catch {
    // A detail that holds a type nobody here knows cannot be shown; `debug` is a convenience and may be missing.
  }
  return json;
}
