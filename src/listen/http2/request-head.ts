import { isSameAuthority } from "../same-authority.ts";
import type { RequestHeaders } from "../transport.ts";

/** The header block of a request, checked. */
export interface RequestHead {
  readonly verb: string;
  readonly target: string;
  readonly authority: string | undefined;
  readonly headers: RequestHeaders;
  /** Bytes that the body has to have; -1 when nothing was said. */
  readonly contentLength: number;
  /** Whether the caller waits for a 100 before it sends the body (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean;
}

/** Fields that belong to a connection of HTTP/1.1; a request with one is malformed (RFC 9113 §8.2.2). */
const CONNECTION_FIELDS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** `:protocol` is not among them: extended CONNECT (RFC 8441) was not announced. */
const PSEUDO_FIELDS = new Set([":method", ":scheme", ":path", ":authority"]);

/** A field name as HTTP/2 has it: a token without capitals (RFC 9113 §8.2.1, RFC 9110 §5.6.2). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** What no field value may have (RFC 9113 §8.2.1). */
const FORBIDDEN = /[\0\r\n]/;

const DIGITS = /^[0-9]{1,15}$/;

/**
 * Reads the header list of a request, name and value in turn. `undefined`: it is malformed (RFC 9113 §8.1.1, §8.2, §8.3),
 * and its stream has to be reset with PROTOCOL_ERROR.
 */
export function readRequestHead(fields: readonly string[]): RequestHead | undefined {
  // No prototype, or a header named `constructor` would seem to be there in every request.
  const headers: Record<string, string | undefined> = Object.create(null);
  let pseudo = true;
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string;
    const value = fields[at + 1] as string;
    if (FORBIDDEN.test(value)) return undefined;
    if (name.charCodeAt(0) === COLON) {
      if (!pseudo || !PSEUDO_FIELDS.has(name) || headers[name] !== undefined) return undefined;
      headers[name] = value;
    } else {
      pseudo = false;
      if (!NAME.test(name) || CONNECTION_FIELDS.has(name)) return undefined;
      if (!add(headers, name, trim(value))) return undefined;
    }
  }
  return judge(headers);
}

/** Whether a header list may stand behind a body: no pseudo-fields, and else as in front (RFC 9113 §8.1). */
export function areTrailers(fields: readonly string[]): boolean {
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (!NAME.test(name) || CONNECTION_FIELDS.has(name) || FORBIDDEN.test(fields[at + 1] as string))
      return false;
  }
  return true;
}

/** Adds a field. False: it may not stand here, or not twice. */
function add(headers: Record<string, string | undefined>, name: string, value: string): boolean {
  const before = headers[name];
  if (name === "te")
    return before === undefined && value.toLowerCase() === "trailers" && set(headers, name, value);
  if (before === undefined) return set(headers, name, value);
  // Two of these have two meanings, one for each who reads the request.
  if (name === "host" || name === "content-length") return false;
  // RFC 9113 §8.2.3, RFC 9110 §5.3.
  return set(headers, name, before + (name === "cookie" ? "; " : ", ") + value);
}

function set(headers: Record<string, string | undefined>, name: string, value: string): true {
  headers[name] = value;
  return true;
}

/** RFC 9113 §8.3.1 and, for CONNECT, §8.5. */
function judge(headers: Record<string, string | undefined>): RequestHead | undefined {
  const verb = headers[":method"];
  const target = headers[":path"];
  const scheme = headers[":scheme"];
  const host = headers["host"];
  const authority = headers[":authority"] ?? host;
  const length = headers["content-length"];
  if (verb === undefined || !VERB.test(verb) || authority === undefined) return undefined;
  if (host !== undefined && !isSameAuthority(host, authority, scheme)) return undefined;
  if (length !== undefined && !DIGITS.test(length)) return undefined;
  const isWhole =
    verb === "CONNECT"
      ? target === undefined && scheme === undefined && headers[":authority"] !== undefined
      : target !== undefined && scheme !== undefined && isTarget(verb, target);
  if (!isWhole) return undefined;
  return {
    verb,
    target: target ?? "",
    authority,
    headers,
    contentLength: length === undefined ? -1 : Number(length),
    expectsContinue: headers["expect"]?.toLowerCase() === "100-continue",
  };
}

/** A method is a token (RFC 9110 §9.1). */
const VERB = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Absolute path and query; of OPTIONS `*` too. What a target never has (RFC 3986 §3.3) is left to who looks it up. */
function isTarget(verb: string, target: string): boolean {
  return target.charCodeAt(0) === SLASH || (verb === "OPTIONS" && target === "*");
}

/**
 * RFC 9113 has values with white space around them for malformed, but gRPC allows them, and to strip it:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests (ASCII-Value).
 */
function trim(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return start === 0 && end === value.length ? value : value.slice(start, end);
}

const COLON = 0x3a;
const SLASH = 0x2f;

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
