import { decodeBase64Url } from "../../lib/base64.ts";
import type { RequestHeaders } from "../../listen/transport.ts";
import { type Negotiated, negotiateCompression } from "../compression.ts";
import { notBase64, readOnlyMessage, tooLarge } from "../envelope.ts";
import type { Query } from "../protocol.ts";

/** Compression of unary calls: that of HTTP. https://connectrpc.com/docs/protocol#unary-request */
export function readUnaryCompression(headers: RequestHeaders): Negotiated {
  return negotiateCompression(headers["content-encoding"], headers["accept-encoding"], "accept-encoding");
}

/** Compression of streams: of each message. https://connectrpc.com/docs/protocol#streaming-request */
export function readStreamCompression(headers: RequestHeaders): Negotiated {
  return negotiateCompression(
    headers["connect-content-encoding"],
    headers["connect-accept-encoding"],
    "connect-accept-encoding",
  );
}

/**
 * The message of a unary call is the body, of which an empty one is a message without fields in binary.
 * https://connectrpc.com/docs/protocol#unary-request (Bare-Message)
 */
export function readUnaryMessage(body: Buffer, { request }: Negotiated, limit: number): Uint8Array {
  if (request) return request.decompress(body, limit);
  if (body.length > limit) throw tooLarge(limit);
  return body;
}

/**
 * The message of a server-streaming call is one Enveloped-Message.
 * https://connectrpc.com/docs/protocol#streaming-request
 */
export function readStreamMessage(body: Buffer, compression: Negotiated, limit: number): Uint8Array {
  return readOnlyMessage(body, "connect-content-encoding", compression, limit);
}

/** What the query of a GET holds. */
export interface GetRequest extends Query {
  readonly codec: "proto" | "json" | undefined;
}

/**
 * Reads the query of a GET: `message` (in base64 where `base64=1`), `encoding`, `compression`.
 * https://connectrpc.com/docs/protocol#unary-get-request
 */
export function readGetRequest(query: string): GetRequest {
  const params = new URLSearchParams(query);
  const encoding = params.get("encoding");
  const message = params.get("message") ?? "";
  return {
    codec: encoding === "proto" || encoding === "json" ? encoding : undefined,
    readMessage() {
      const bytes = params.get("base64") === "1" ? decodeBase64Url(message) : Buffer.from(message);
      if (!bytes) throw notBase64();
      return bytes;
    },
    encoding: params.get("compression") ?? undefined,
  };
}
