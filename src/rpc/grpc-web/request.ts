import { decodeBase64Pieces } from "../../lib/base64.ts";
import type { Negotiated } from "../compression.ts";
import { notBase64 } from "../envelope.ts";
import { readGrpcMessage } from "../grpc/request.ts";

/**
 * Takes the message out of a body of `application/grpc-web-text`: base64, in which every piece that the caller wrote
 * on its own may end in padding.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md#protocol-differences-vs-grpc-over-http2
 */
export function readGrpcWebTextMessage(body: Buffer, compression: Negotiated, limit: number): Uint8Array {
  const bytes = decodeBase64Pieces(body.toString("latin1"));
  if (!bytes) throw notBase64();
  return readGrpcMessage(bytes, compression, limit);
}
