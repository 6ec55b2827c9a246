import { CHUNKED, CONTENT_LENGTH } from "../../lib/http1/body-length.ts";
import { hasClose } from "../../lib/http1/connection-options.ts";
import { FieldLines } from "../../lib/http1/field-lines.ts";
import { LF } from "../../lib/http1/grammar.ts";

/** Status line and header block of an answer. */
export interface AnswerHead {
  readonly status: number;
  /** By lower-case name; several lines of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the head, its empty line included. */
  readonly bytes: number;
  /** Length of the body, {@link CHUNKED} or {@link UNTIL_CLOSE}. */
  readonly bodyBytes: number;
  /** Milliseconds that the connection may be kept unused after the answer, 0 for not at all; `undefined`: nothing is said. */
  readonly keepAliveMs: number | undefined;
}

/** The body ends with the connection. */
export const UNTIL_CLOSE = -2;

/** The head of an answer at most; Node's own HTTP parser draws the line of bytes at the same place. */
export const ANSWER_HEAD_LIMITS = { headerListBytes: 16 * 1024, headerFields: 1000 };

/** RFC 9112 §4; the reason may be missing together with its blank, as some servers have it. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n$/;

/** A connection is given up so much before the upstream would: a request that crosses the end is a request lost. */
const KEEP_ALIVE_MARGIN_MS = 2_000;

const fields = new FieldLines();

/**
 * Reads the head of an answer (RFC 9112 §4 to §6) that begins at `start`. `undefined`: it is not complete at `end`.
 * Nothing is repaired: what is not exactly in the grammar is no answer.
 */
export function readAnswerHead(
  bytes: Buffer,
  start: number,
  end: number,
): AnswerHead | "malformed" | undefined {
  const newline = bytes.indexOf(LF, start);
  if (newline < 0 || newline >= end) return undefined;
  const line = STATUS_LINE.exec(bytes.toString("latin1", start, newline + 1));
  if (line === null) return "malformed";
  const at = fields.scan(bytes, newline + 1, end, ANSWER_HEAD_LIMITS, 0);
  if (at === undefined) return undefined;
  const headers = typeof at === "string" ? undefined : fields.toRecord(bytes, newline + 1, at);
  if (typeof at === "string" || headers === undefined) return "malformed";
  const status = Number(line[2]);
  const bodyBytes = bodyBytesOf(status, headers, line[1] === "1");
  if (bodyBytes === undefined) return "malformed";
  // What is said about keeping a connection in HTTP/1.0 is no standard (RFC 9112 appendix C.2.2).
  const over = line[1] === "0" || bodyBytes === UNTIL_CLOSE || hasClose(headers["connection"]);
  return {
    status,
    // No field is there without a value.
    headers: headers as Readonly<Record<string, string>>,
    bytes: at - start,
    bodyBytes,
    keepAliveMs: over ? 0 : readKeepAlive(headers["keep-alive"]),
  };
}

/** By RFC 9112 §6.3, but without its repairs. `undefined`: nobody can tell where the answer ends. */
function bodyBytesOf(
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
  mayHaveChunks: boolean,
): number | undefined {
  const length = headers["content-length"];
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (!mayHaveChunks || length !== undefined || coding.toLowerCase() !== "chunked") return undefined;
  } else if (length !== undefined && !CONTENT_LENGTH.test(length)) return undefined;
  // What the fields say is then about another answer.
  if (status < 200 || status === 204 || status === 304) return 0;
  if (coding !== undefined) return CHUNKED;
  return length === undefined ? UNTIL_CLOSE : Number(length);
}

/** `timeout` of a `Keep-Alive` field, seconds (RFC 2068 §19.7.1.1), less the margin. */
function readKeepAlive(field: string | undefined): number | undefined {
  const seconds = field === undefined ? undefined : /(?:^|[,\s])timeout=([0-9]{1,9})/i.exec(field)?.[1];
  return seconds === undefined ? undefined : Math.max(0, Number(seconds) * 1000 - KEEP_ALIVE_MARGIN_MS);
}
