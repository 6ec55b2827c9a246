import type { RequestHeaders } from "../../listen/transport.ts";
import { type Negotiated, negotiateCompression } from "../compression.ts";
import { readOnlyMessage } from "../envelope.ts";

/**
 * Which compression a gRPC request has and its answer may have, of gRPC and gRPC-Web.
 * https://github.com/grpc/grpc/blob/master/doc/compression.md
 */
export function readGrpcCompression(headers: RequestHeaders): Negotiated {
  return negotiateCompression(
    headers["grpc-encoding"],
    headers["grpc-accept-encoding"],
    "grpc-accept-encoding",
  );
}

/**
 * Takes the message out of a request body, one Length-Prefixed-Message.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 */
export function readGrpcMessage(body: Buffer, compression: Negotiated, limit: number): Uint8Array {
  return readOnlyMessage(body, "grpc-encoding", compression, limit);
}
