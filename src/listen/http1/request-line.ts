import { BYTES, CR, LF, SLASH, SPACE, TARGET, TOKEN } from "../../lib/http1/grammar.ts";
import { readAbsoluteForm } from "../absolute-form.ts";
import { BAD_REQUEST, FOREIGN, NOT_IMPLEMENTED, type Refusal } from "./refusal.ts";

/** The first line of a request. */
export interface RequestLine {
  readonly method: string;
  /** In origin-form, or `*`. */
  readonly target: string;
  /** Bytes of the target as it was written. */
  readonly targetBytes: number;
  /** Authority of a target in absolute-form, which replaces `Host`. */
  readonly authority: string | undefined;
  readonly minor: 0 | 1;
  /** Where the line after it begins. */
  readonly end: number;
}

/** Longer than any method in IANA's registry (`UPDATEREDIRECTREF`). */
const METHOD_BYTES = 32;

/** What stands between the target and the minor version, and after it: one blank, in capitals, and CR LF. */
const VERSION = Buffer.from(" HTTP/1.");
const VERSION_BYTES = VERSION.length + "1\r\n".length;

/**
 * Reads `method SP request-target SP HTTP-version CRLF` (RFC 9112 §3), with exactly these blanks. `undefined`: the line
 * is not complete.
 */
export function readRequestLine(
  bytes: Buffer,
  start: number,
  end: number,
): RequestLine | Refusal | undefined {
  let at = start;
  while (at < end && (BYTES[bytes[at] as number] as number) & TOKEN) at++;
  const methodEnd = at;
  if (at < end && bytes[at] === SPACE) at++;
  else return judgeLine(bytes, start, end);
  const targetStart = at;
  while (at < end && (BYTES[bytes[at] as number] as number) & TARGET) at++;
  if (end - at < VERSION_BYTES) return judgeLine(bytes, start, end);
  for (let i = 0; i < VERSION.length; i++)
    if (bytes[at + i] !== VERSION[i]) return judgeLine(bytes, start, end);
  const minor = (bytes[at + VERSION.length] as number) - 0x30;
  const lineEnd = at + VERSION_BYTES;
  if ((minor !== 0 && minor !== 1) || bytes[lineEnd - 2] !== CR || bytes[lineEnd - 1] !== LF)
    return judgeLine(bytes, start, end);
  const method = bytes.toString("latin1", start, methodEnd);
  const target = bytes.toString("latin1", targetStart, at);
  // It has a target of its own kind and asks for a tunnel, which is none of our business (RFC 9110 §9.3.6).
  if (method === "CONNECT") return NOT_IMPLEMENTED;
  if (method.length === 0 || method.length > METHOD_BYTES) return BAD_REQUEST;
  const targetBytes = at - targetStart;
  // Origin-form or asterisk-form (RFC 9112 §3.2).
  if (bytes[targetStart] === SLASH || target === "*")
    return { method, target, targetBytes, authority: undefined, minor, end: lineEnd };
  const uri = readAbsoluteForm(method, target);
  if (uri === undefined) return BAD_REQUEST;
  return { method, target: uri.target, targetBytes, authority: uri.authority, minor, end: lineEnd };
}

/** For a line that is wrong or not complete; once it is complete, it shows whether its writer knows HTTP/1. */
function judgeLine(bytes: Buffer, start: number, end: number): Refusal | undefined {
  const newline = bytes.indexOf(LF, start);
  if (newline < 0 || newline >= end) return undefined;
  return bytes.toString("latin1", start, newline).includes(" HTTP/") ? BAD_REQUEST : FOREIGN;
}
