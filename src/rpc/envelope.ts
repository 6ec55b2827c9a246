import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import type { Negotiated } from "./compression.ts";

/**
 * The length-prefixed message that gRPC, gRPC-Web and Connect streams share: one byte of flags, four bytes of length
 * (big-endian), the message.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests,
 * https://connectrpc.com/docs/protocol#streaming-rpcs
 */
export const ENVELOPE_HEADER_BYTES = 5;

/** Flag: the message is compressed with the encoding that the header block names. */
const COMPRESSED_FLAG = 0b0000_0001;

/** The envelope of an empty message; what Cancel and Delete are answered with. */
const EMPTY = Buffer.alloc(ENVELOPE_HEADER_BYTES);

/** Wraps a message: one buffer, so that it leaves in one write. */
export function encodeEnvelope(flags: number, message: Uint8Array): Buffer {
  const length = message.byteLength;
  if (length === 0 && flags === 0) return EMPTY;
  const envelope = Buffer.allocUnsafe(ENVELOPE_HEADER_BYTES + length);
  envelope[0] = flags;
  envelope.writeUInt32BE(length, 1);
  envelope.set(message, ENVELOPE_HEADER_BYTES);
  return envelope;
}

/**
 * A message of an answer in its envelope: the Length-Prefixed-Message of gRPC and gRPC-Web, the Enveloped-Message of
 * Connect streams.
 */
export function encodeMessage(message: Uint8Array, compressed: boolean): Buffer {
  return encodeEnvelope(compressed ? COMPRESSED_FLAG : 0, message);
}

/**
 * Takes the only message out of the complete body of a unary or server-streaming request, and inflates it where its
 * flag says so, by the coding that `encodingHeader` has named. Throws UNIMPLEMENTED for none or several (gRPC's word
 * for a wrong number of messages), INVALID_ARGUMENT for a broken envelope, RESOURCE_EXHAUSTED for one that is longer
 * than `limit`. Nothing is allocated from the length that a caller claims.
 */
export function readOnlyMessage(
  body: Buffer,
  encodingHeader: string,
  { request }: Negotiated,
  limit: number,
): Uint8Array {
  if (body.length === 0)
    throw gatewayError("REQUEST_MESSAGE_COUNT", "the request holds no message: this method takes one");
  if (body.length < ENVELOPE_HEADER_BYTES) throw incomplete();
  const flags = body[0] ?? 0;
  const length = body.readUInt32BE(1);
  if (length > limit) throw tooLarge(limit);
  if (body.length < ENVELOPE_HEADER_BYTES + length) throw incomplete();
  if (body.length > ENVELOPE_HEADER_BYTES + length)
    throw gatewayError(
      "REQUEST_MESSAGE_COUNT",
      "the request holds more than one message: this method takes one",
    );
  if ((flags & ~COMPRESSED_FLAG) !== 0)
    throw gatewayError("REQUEST_MALFORMED", `the request's envelope has the unknown flags ${flags}`);
  const message = body.subarray(ENVELOPE_HEADER_BYTES);
  if (flags === 0) return message;
  // "If the Compressed-Flag is set and grpc-encoding is not, answer INTERNAL": doc/compression.md of gRPC.
  if (!request)
    throw gatewayError("COMPRESSION_UNNAMED", `the message is compressed, but ${encodingHeader} is not set`);
  return request.decompress(message, limit);
}

/** Whether the first piece of a body already tells that its message is longer than `limit`. */
export function claimsTooMuch(firstChunk: Buffer, limit: number): boolean {
  return firstChunk.length >= ENVELOPE_HEADER_BYTES && firstChunk.readUInt32BE(1) > limit;
}

/** A request message is larger than the gateway reads. */
export function tooLarge(limit: number): ConnectError {
  return gatewayError("REQUEST_TOO_LARGE", `the request message is larger than ${limit} bytes`);
}

/** A request in text is not the base64 that its protocol asks for. */
export function notBase64(): ConnectError {
  return gatewayError("REQUEST_MALFORMED", "the request is not the base64 that it says it is");
}

function incomplete(): ConnectError {
  return gatewayError("REQUEST_MALFORMED", "the request ends in the middle of a message");
}
