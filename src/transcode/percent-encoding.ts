/**
 * Percent-encoding for the values of path variables and query parameters, as google/api/http.proto defines it: the
 * UTF-8 bytes of everything but `A-Z a-z 0-9 - _ . ~`. Stricter than encodeURIComponent, which leaves `! ' ( ) *`.
 * Not RFC 6570's reserved expansion, which would leave `: ? # @ & = +` and so let a name end the path.
 *
 * Only the runs of characters that need it are encoded; a surrogate pair is always within one run.
 *
 * @see https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
 */

/**
 * Encodes a value that becomes one path segment, a query key or a query value; a slash becomes `%2F`.
 *
 * @throws URIError for a lone surrogate, which has no UTF-8 form. Callers refuse those first.
 */
export function encodeSegment(value: string): string {
  return value.replace(NOT_UNRESERVED, encodeRun);
}

/** Encodes a value that spans several path segments: as {@link encodeSegment}, but its slashes stay. */
export function encodeSegments(value: string): string {
  return value.replace(NOT_UNRESERVED_NOR_SLASH, encodeRun);
}

const NOT_UNRESERVED = /[^\w\-.~]+/g;
const NOT_UNRESERVED_NOR_SLASH = /[^\w\-.~/]+/g;
const LEFT_RAW = /[!'()*]/g;

function encodeRun(run: string): string {
  return encodeURIComponent(run).replace(LEFT_RAW, encodeAscii);
}

function encodeAscii(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}
