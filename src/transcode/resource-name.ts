import { Buffer } from "node:buffer";

/**
 * UTF-8 bytes of a resource name. The longest legal Healthcare name (a dataset id of 256 letters outside the BMP) has
 * about 1,300; encoded three for one, 2,048 still fit into the 8,000 octets of request line that RFC 9110 §4.1 asks
 * every server to take.
 */
export const MAX_NAME_BYTES = 2048;

/**
 * Why a value must not become part of a URL, as the end of a sentence that begins with the field's name, or
 * `undefined`. What passes is sent percent-encoded and arrives as exactly the same name.
 *
 * Refused is what another hop could read as a different request, or a log reader as a different name:
 * - empty or too long values;
 * - empty, `.` and `..` segments, which URL parsers collapse, encoded or not (WHATWG URL, RFC 3986 §5.2.4);
 * - a backslash, which WHATWG URL takes for a slash;
 * - C0, DEL and C1 controls, and U+2028 and U+2029, which end lines;
 * - bidirectional controls (UAX #9), which change the order in which a name is shown (CVE-2021-42574); no published
 *   alphabet of ids holds them;
 * - lone surrogates, which have no UTF-8 form;
 * - percent escapes of any of these, of `/ ? # : ; @ % .`, of no valid UTF-8, and escapes that make new escapes: a hop
 *   that decodes once too often would see another path. Others (`%41`) are sent as they are, with `%` as `%25`.
 *
 * Everything else is the upstream's to judge: spaces, `?`, `#`, `:` and letters of all scripts are legal here.
 */
export function nameProblem(value: string): string | undefined {
  if (value === "") return "is empty";
  if (isLongerThan(value, MAX_NAME_BYTES)) return `is longer than ${MAX_NAME_BYTES} bytes`;
  if (!value.isWellFormed()) return "holds a lone surrogate (half of a UTF-16 pair), which has no UTF-8 form";
  const bad = FORBIDDEN.exec(value);
  if (bad) return `holds ${describe(bad[0])} at character ${bad.index + 1}`;
  return segmentProblem(value) ?? escapeProblem(value);
}

/** Whether a text has more UTF-8 bytes than that; they are counted only when its length leaves a doubt. */
export function isLongerThan(value: string, bytes: number): boolean {
  return value.length > bytes || (value.length * 3 > bytes && Buffer.byteLength(value) > bytes);
}

/** Controls, line and paragraph separators, bidirectional controls, backslash. */
const FORBIDDEN = /[\p{Cc}\u2028\u2029\p{Bidi_Control}\\]/u;

/** Characters that end or begin a part of a URL, or are path syntax of Google APIs (`:verb`). */
const STRUCTURAL = /[/?#:;@%.]/;

const EMPTY_OR_DOTS = /(^|\/)(\.{0,2})(?=\/|$)/;
const ESCAPES = /(?:%[0-9A-Fa-f]{2})+/g;
const ESCAPE = /%[0-9A-Fa-f]{2}/;

function segmentProblem(value: string): string | undefined {
  const bad = EMPTY_OR_DOTS.exec(value);
  if (!bad) return undefined;
  if (value.startsWith("/")) return "begins with a slash";
  if (value.endsWith("/")) return "ends with a slash";
  const [, before = "", segment = ""] = bad;
  const which = `(segment ${value.slice(0, bad.index + before.length).split("/").length})`;
  return segment === "" ? `has an empty segment ${which}` : `has the segment "${segment}" ${which}`;
}

function escapeProblem(value: string): string | undefined {
  if (!value.includes("%")) return undefined;
  for (const { 0: run, index } of value.matchAll(ESCAPES)) {
    const at = `at character ${index + 1}`;
    const decoded = decodeUtf8(run);
    if (decoded === undefined) return `holds a percent escape ${at} that is not UTF-8`;
    const bad = FORBIDDEN.exec(decoded) ?? STRUCTURAL.exec(decoded);
    if (bad) return `holds a percent escape ${at} that stands for ${describe(bad[0])}`;
  }
  const decoded = value.replace(ESCAPES, (run) => decodeUtf8(run) ?? run);
  return ESCAPE.test(decoded) ? "holds percent escapes that make new percent escapes" : undefined;
}

function decodeUtf8(escapes: string): string | undefined {
  try {
    return decodeURIComponent(escapes);
  } catch {
    return undefined;
  }
}

function describe(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code > 0x20 && code < 0x7f) return code === 0x5c ? "a backslash" : `"${char}"`;
  return `the character U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
