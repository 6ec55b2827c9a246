import { Code } from "@connectrpc/connect";
import { CODE_NAMES } from "../lib/code-names.ts";

/**
 * The google.rpc code of an HTTP status of a Google REST API when the body does not name one. This is the table for
 * REST answers (google.rpc.Code's own mapping, extended by what front ends send), not gRPC's table for clients that
 * meet a proxy: that one would turn each bad request into INTERNAL and each missing resource into UNIMPLEMENTED.
 *
 * - `isJson`: whether the body is JSON. A 404 without it comes from a front end that does not know the path.
 */
export function codeFromHttp(status: number, isJson: boolean): Code {
  if (status === 404) return isJson ? Code.NotFound : Code.Unimplemented;
  const known = BY_STATUS[status];
  if (known !== undefined) return known;
  if (status >= 400 && status < 500) return Code.FailedPrecondition;
  if (status >= 500 && status < 600) return Code.Internal;
  // A 2xx that had to be decoded as an error is not what the API promises.
  return status >= 200 && status < 300 ? Code.Internal : Code.Unknown;
}

const BY_STATUS: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  405: Code.Unimplemented,
  408: Code.Unavailable,
  409: Code.Aborted,
  410: Code.NotFound,
  // The gateway always sends a length: a 411 is its own fault.
  411: Code.Internal,
  412: Code.FailedPrecondition,
  413: Code.InvalidArgument,
  414: Code.InvalidArgument,
  416: Code.OutOfRange,
  429: Code.ResourceExhausted,
  431: Code.InvalidArgument,
  499: Code.Canceled,
  500: Code.Internal,
  501: Code.Unimplemented,
  // A front end that has lost its back end says "try again in 30 seconds".
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.DeadlineExceeded,
};

/** The code that a google.rpc.Code name stands for; `undefined` for OK and for anything else. */
export function codeFromName(name: unknown): Code | undefined {
  return typeof name === "string" ? BY_NAME.get(name) : undefined;
}

const BY_NAME: ReadonlyMap<string, Code> = new Map(
  CODE_NAMES.map((name, code) => [name, code as Code]).slice(1) as [string, Code][],
);
