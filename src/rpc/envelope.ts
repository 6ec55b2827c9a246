import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";

/**
 * The length-prefixed message that gRPC, gRPC-Web and Connect streams share: one byte of flags, four bytes of length
 * (big-endian), the message.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests,
 * https://connectrpc.com/docs/protocol#streaming-rpcs
 */
export const ENVELOPE_HEADER_BYTES = 5;

/** Flag: the message is compressed with the encoding that the header block names. */
export const COMPRESSED_FLAG = 0b0000_0001;

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

/** The message that a complete request body holds, still compressed if `compressed`. */
export interface Envelope {
  readonly compressed: boolean;
  readonly message: Uint8Array;
}

/**
 * Takes the only message out of the body of a unary or server-streaming request. Throws UNIMPLEMENTED for none or
 * several (gRPC's word for a wrong number of messages), INVALID_ARGUMENT for a broken envelope, RESOURCE_EXHAUSTED
 * for one that is longer than `limit`. Nothing is allocated from the length that a caller claims.
 */
export function readOnlyEnvelope(body: Buffer, limit: number): Envelope {
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
  return { compressed: flags === COMPRESSED_FLAG, message: body.subarray(ENVELOPE_HEADER_BYTES) };
}

/** Whether the first piece of a body already tells that its message is longer than `limit`. */
export function claimsTooMuch(firstChunk: Buffer, limit: number): boolean {
  return firstChunk.length >= ENVELOPE_HEADER_BYTES && firstChunk.readUInt32BE(1) > limit;
}

/** A message is marked as compressed, and no header says how. gRPC demands INTERNAL for it. */
export function compressionUnnamed(header: string): ConnectError {
  return gatewayError("COMPRESSION_UNNAMED", `the message is compressed, but ${header} is not set`);
}

/** A request message is larger than the gateway reads. */
export function tooLarge(limit: number): ConnectError {
  return gatewayError("REQUEST_TOO_LARGE", `the request message is larger than ${limit} bytes`);
}

function incomplete(): ConnectError {
  return gatewayError("REQUEST_MALFORMED", "the request ends in the middle of a message");
}
