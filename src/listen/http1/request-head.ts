import { FieldLines } from "../../lib/http1/field-lines.ts";
import { CR, LF } from "../../lib/http1/grammar.ts";
import { isIgnorableHost } from "../absolute-form.ts";
import type { ListenerLimits } from "../limits.ts";
import type { RequestHeaders } from "../transport.ts";
import { type Framing, readFraming } from "./framing.ts";
import { BAD_REQUEST, HEADERS_TOO_LARGE, type Refusal } from "./refusal.ts";
import { readRequestLine } from "./request-line.ts";

/** Request line and header block of a request that may be served. */
export interface RequestHead extends Framing {
  /** As the caller wrote it: any token. */
  readonly method: string;
  /** In origin-form, or `*`; what an absolute-form says of the authority is in `host`. */
  readonly target: string;
  readonly headers: RequestHeaders;
  /** Minor version of HTTP/1. */
  readonly minor: 0 | 1;
  /** Bytes of the head, its empty line included. */
  readonly bytes: number;
}

/** What the limits of the listener say about a head. */
export type HeadLimits = Pick<ListenerLimits, "headerListBytes" | "headerFields">;

/**
 * What of a line is not counted as the header list: colon, line end and blanks. It has to be kept until the head is
 * complete, so it has a limit, too; other clients than those of an attacker write four bytes of it.
 */
const BLANKS_PER_FIELD = 16;

const fields = new FieldLines();

/**
 * Reads a request head (RFC 9112 §2 to §6) that begins at `start`. `undefined`: it is not complete at `end`, and
 * nothing in its complete lines is wrong. Nothing is repaired: what is not exactly in the grammar might be read in
 * another way by whoever passed it on.
 */
export function readRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): RequestHead | Refusal | undefined {
  // RFC 9112 §2.2: one empty line in front of a request is from a client that ends its bodies with one.
  const from = end - start > 1 && bytes[start] === CR && bytes[start + 1] === LF ? start + 2 : start;
  const rawBytes = limits.headerListBytes + BLANKS_PER_FIELD * limits.headerFields;
  const unfinished = end - start > rawBytes ? HEADERS_TOO_LARGE : undefined;
  const line = readRequestLine(bytes, from, end);
  if (line === undefined) return unfinished;
  if (typeof line === "string") return line;
  const at = fields.scan(bytes, line.end, end, limits, line.targetBytes);
  if (at === undefined) return unfinished;
  if (typeof at === "string") return at === "malformed" ? BAD_REQUEST : HEADERS_TOO_LARGE;
  if (at - start > rawBytes) return HEADERS_TOO_LARGE;
  const headers = fields.toRecord(bytes, line.end, at);
  if (headers === undefined) return BAD_REQUEST;
  const framing = readFraming(headers, line.minor);
  if (typeof framing === "string") return framing;
  if (line.authority !== undefined) {
    if (!isIgnorableHost(headers["host"])) return BAD_REQUEST;
    headers["host"] = line.authority;
  }
  return {
    method: line.method,
    target: line.target,
    headers,
    minor: line.minor,
    bytes: at - start,
    bodyBytes: framing.bodyBytes,
    keepAlive: framing.keepAlive,
    expectsContinue: framing.expectsContinue,
  };
}
