import type { FieldLimits } from "./field-limits.ts";
import { CR, LF } from "./grammar.ts";
import type { Span } from "./span.ts";
import { TrailerLines } from "./trailer-lines.ts";

/** Bytes of chunk extensions in a body. Nobody uses them; RFC 9112 §7.1.1 wants them ignored, and limited. */
const EXTENSION_BYTES = 1_024;

/**
 * A chunk's first line without its CR LF (RFC 9112 §7.1): a size of up to eight digits, 4 GiB, and extensions without
 * the blanks that the grammar calls bad.
 */
const CHUNK_LINE =
  /^[0-9A-Fa-f]{1,8}((?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*)$/;

/** The longest of them that may be right. */
const CHUNK_LINE_BYTES = 8 + EXTENSION_BYTES;

/**
 * A body in chunks (RFC 9112 §7.1), however they are cut. The data of all chunks in one read are moved together, since
 * receivers pay per piece: a body in chunks of one byte must not be dear.
 */
export class ChunkedBody {
  /** How far it has been read. Once it is `broken`, nobody can tell where the next message begins. */
  progress: "more" | "complete" | "broken" = "more";
  readonly #trailers: TrailerLines;
  #expects: "size" | "data" | "line end" | "trailers" = "size";
  /** Data bytes of this chunk that are still to come. */
  #left = 0;
  /** Beginning of a line whose end has not come. */
  #line = "";
  #extensionBytes = 0;

  constructor(limits: FieldLimits) {
    this.#trailers = new TrailerLines(limits);
  }

  /** Whether it is known that all of it has arrived: never before it is read. */
  isWithin(): boolean {
    return false;
  }

  /** Takes what is there of it: its data in one piece, where they were, `undefined` when there are none. */
  read(unread: Span): Buffer | undefined {
    const { bytes } = unread;
    let dataStart = unread.start;
    let dataEnd = unread.start;
    while (unread.length > 0 && this.progress === "more") {
      if (this.#expects === "data") {
        const size = Math.min(this.#left, unread.length);
        if (dataEnd === dataStart) dataStart = dataEnd = unread.start;
        else bytes.copyWithin(dataEnd, unread.start, unread.start + size);
        dataEnd += size;
        unread.start += size;
        this.#left -= size;
        if (this.#left === 0) this.#expects = "line end";
      } else this.progress = this.#readLine(unread);
    }
    return dataEnd === dataStart ? undefined : bytes.subarray(dataStart, dataEnd);
  }

  #readLine(unread: Span): ChunkedBody["progress"] {
    const { bytes, start, end } = unread;
    const found = bytes.indexOf(LF, start);
    const complete = found >= 0 && found < end;
    unread.start = complete ? found + 1 : end;
    const text = this.#line + bytes.toString("latin1", start, unread.start);
    if (text.length > this.#lineLimit() + 2) return "broken";
    this.#line = complete ? "" : text;
    if (!complete) return "more";
    return text.charCodeAt(text.length - 2) === CR ? this.#judge(text.slice(0, -2)) : "broken";
  }

  #lineLimit(): number {
    if (this.#expects === "line end") return 0;
    return this.#expects === "size" ? CHUNK_LINE_BYTES : this.#trailers.lineLimit;
  }

  #judge(line: string): ChunkedBody["progress"] {
    if (this.#expects === "line end") {
      this.#expects = "size";
      return line === "" ? "more" : "broken";
    }
    if (this.#expects === "size") {
      const found = CHUNK_LINE.exec(line);
      this.#extensionBytes += found?.[1]?.length ?? 0;
      if (found === null || this.#extensionBytes > EXTENSION_BYTES) return "broken";
      this.#left = Number.parseInt(line, 16);
      this.#expects = this.#left === 0 ? "trailers" : "data";
      return "more";
    }
    if (line === "") return "complete";
    return this.#trailers.accept(line) ? "more" : "broken";
  }
}
