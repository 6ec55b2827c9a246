/** In place of a length: the body comes in chunks (RFC 9112 §7.1). */
export const CHUNKED = -1;

/** A `Content-Length`. Fifteen digits are a petabyte, and a number that is exact. */
export const CONTENT_LENGTH = /^[0-9]{1,15}$/;
