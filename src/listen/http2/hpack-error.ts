/** A header block that HPACK does not allow: COMPRESSION_ERROR of the whole connection (RFC 9113 §4.3). */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
