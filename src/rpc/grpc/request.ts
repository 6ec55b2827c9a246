import type { RequestHeaders } from "../../listen/transport.ts";
import { type Negotiated, negotiateCompression } from "../compression.ts";
import { compressionUnnamed, readOnlyEnvelope } from "../envelope.ts";

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
 * Takes the message out of a request body: one envelope, inflated where its flag says so.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests (Length-Prefixed-Message)
 */
export function readGrpcMessage(body: Buffer, { request }: Negotiated, limit: number): Uint8Array {
  const { compressed, message } = readOnlyEnvelope(body, limit);
  if (!compressed) return message;
  // "If the Compressed-Flag is set and grpc-encoding is not, answer INTERNAL."
  if (!request) throw compressionUnnamed("grpc-encoding");
  return request.decompress(message, limit);
}
