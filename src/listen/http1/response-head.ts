import { STATUS_CODES } from "node:http";
import { NOT_IN_VALUE } from "../../lib/http1/grammar.ts";
import type { ResponseHeaders } from "../transport.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Fields that the carrier sets itself. */
const OWN = new Set(["connection", "keep-alive", "content-length", "transfer-encoding", "trailer", "date"]);

const statusLines = new Map<number, string>();

/** `HTTP/1.1 200 OK` with its line end. */
export function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}

/**
 * Headers or trailers as field lines (RFC 9112 §5), one for each value of a list. Throws a TypeError on a name or a
 * value that is none, or it would write lines of its own.
 */
export function fieldLines(headers: ResponseHeaders): string {
  let lines = "";
  for (const name in headers) {
    if (OWN.has(name)) continue;
    if (!NAME.test(name)) throw new TypeError(`no field name: ${JSON.stringify(name)}`);
    const value = headers[name] as string | readonly string[];
    if (typeof value === "string") lines += fieldLine(name, value);
    else for (const one of value) lines += fieldLine(name, one);
  }
  return lines;
}

function fieldLine(name: string, value: string): string {
  if (NOT_IN_VALUE.test(value))
    throw new TypeError(`no value for the field ${name}: ${JSON.stringify(value)}`);
  return `${name}: ${value}\r\n`;
}
