/**
 * Decodes base64 of the standard alphabet (RFC 4648 §4) in which several pieces, each with its padding, may stand one
 * after the other; the last may lack it. `undefined` for any other character, and for padding or an end that no bytes
 * have: Node alone would leave out what it does not understand.
 */
export function decodeBase64Pieces(text: string): Buffer | undefined {
  // Two looks, each at every character once: one expression for both would try all ways to cut the text into pieces.
  if (!/^[A-Za-z0-9+/=]*$/.test(text) || /^=|===/.test(text)) return undefined;
  const pieces = (text.match(/[^=]+=*/g) ?? []).map(decode);
  return pieces.every((piece) => piece !== undefined) ? Buffer.concat(pieces) : undefined;
}

/**
 * Decodes base64 of the URL-safe alphabet (RFC 4648 §5), with or without padding; the standard alphabet too, which
 * connect-es' decoder takes as well. `undefined` as {@link decodeBase64Pieces}.
 */
export function decodeBase64Url(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ? decode(text) : undefined;
}

function decode(piece: string): Buffer | undefined {
  // Four characters are three bytes; one alone is not even one.
  const wrong = piece.endsWith("=") ? piece.length % 4 !== 0 : piece.length % 4 === 1;
  return wrong ? undefined : Buffer.from(piece, "base64");
}
