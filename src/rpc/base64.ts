import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";

/**
 * Decodes base64 of the standard alphabet (RFC 4648 §4) in which several pieces, each with its padding, may stand one
 * after the other; the last may lack it. Node alone would leave out what it does not understand.
 *
 * @throws ConnectError INVALID_ARGUMENT for any other character, and for padding or an end that no bytes have.
 */
export function decodeBase64Pieces(text: string): Buffer {
  if (!/^(?:[A-Za-z0-9+/]+={0,2})*$/.test(text)) throw malformed();
  const pieces = text.match(/[^=]+=*/g) ?? [];
  return Buffer.concat(pieces.map(decode));
}

/**
 * Decodes base64 of the URL-safe alphabet (RFC 4648 §5), with or without padding; the standard alphabet too, which
 * connect-es' decoder takes as well.
 *
 * @throws ConnectError as {@link decodeBase64Pieces} does.
 */
export function decodeBase64Url(text: string): Buffer {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw malformed();
  return decode(text);
}

function decode(piece: string): Buffer {
  const padded = piece.endsWith("=");
  // Four characters are three bytes; one alone is not even one.
  if (padded ? piece.length % 4 !== 0 : piece.length % 4 === 1) throw malformed();
  return Buffer.from(piece, "base64");
}

function malformed(): ConnectError {
  return gatewayError("REQUEST_MALFORMED", "the request is not the base64 that it says it is");
}
