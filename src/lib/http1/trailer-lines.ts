import type { FieldLimits } from "./field-limits.ts";

/** A field line (RFC 9112 §5) without its CR LF. */
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Fields that decide where a message ends, where it belongs or what becomes of the connection. As trailers they are an
 * attempt at something (RFC 9110 §6.5.1), and some servers heed them there.
 */
const NEVER = new Set([
  ...["content-length", "transfer-encoding", "host", "connection", "keep-alive", "proxy-connection"],
  ...["upgrade", "te", "trailer", "expect"],
]);

/**
 * The trailer section of a message (RFC 9112 §7.1.2): checked and counted like a header block of its own, and left
 * there. Nothing that is read over HTTP/1.1 here has trailers, and merging them into the headers would let them say what the
 * headers were checked not to say.
 */
export class TrailerLines {
  /** Bytes of the longest line that may still be accepted. */
  lineLimit: number;
  #fieldsLeft: number;

  constructor({ headerListBytes, headerFields }: FieldLimits) {
    this.lineLimit = headerListBytes;
    this.#fieldsLeft = headerFields;
  }

  /** Whether this line, without its CR LF, may be part of the section. */
  accept(line: string): boolean {
    this.lineLimit -= line.length;
    this.#fieldsLeft--;
    const name = FIELD_LINE.exec(line)?.[1];
    return (
      name !== undefined && this.lineLimit >= 0 && this.#fieldsLeft >= 0 && !NEVER.has(name.toLowerCase())
    );
  }
}
