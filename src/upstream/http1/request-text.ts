import { NOT_IN_VALUE } from "../../lib/http1/grammar.ts";
import type { RestRequest } from "../../lib/rest.ts";

/** What a path of a request may not hold: the request line would end there (RFC 9112 §3). */
const NO_TARGET = /[^\x21-\x7e]/;

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Methods that give a body a meaning, whose absence is therefore said (RFC 9110 §8.6). */
const EXPECTS_BODY = new Set<RestRequest["verb"]>(["POST", "PUT", "PATCH"]);

/**
 * Writes request heads to one origin (RFC 9112 §3, §5). The lines of a list of headers are kept as long as the next
 * request of the kind brings the same list, which it does until there is another token.
 */
export class RequestText {
  readonly #connection: string;
  readonly #reads = new Lines();
  readonly #writes = new Lines();

  /** `host` and port as the `Host` field has them. */
  constructor(host: string) {
    this.#connection = ` HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  }

  /**
   * The head of a request, Latin-1. Throws a TypeError on a path or a header that would write lines of its own.
   *
   * @param headers flat list of names and values
   */
  head({ verb, path, body }: RestRequest, headers: readonly string[]): string {
    if (NO_TARGET.test(path)) throw new TypeError(`no request target: ${JSON.stringify(path)}`);
    const lines = (verb === "GET" ? this.#reads : this.#writes).of(headers);
    const saysLength = body === undefined ? EXPECTS_BODY.has(verb) : true;
    const length = saysLength ? `content-length: ${body?.byteLength ?? 0}\r\n` : "";
    return `${verb} ${path}${this.#connection}${lines}${length}\r\n`;
  }
}

/** The lines of the list of headers that came last. */
class Lines {
  #headers: readonly string[] = [];
  #text = "";

  of(headers: readonly string[]): string {
    if (headers !== this.#headers) {
      this.#text = fieldLines(headers);
      this.#headers = headers;
    }
    return this.#text;
  }
}

function fieldLines(headers: readonly string[]): string {
  let lines = "";
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? "";
    const value = headers[at + 1] ?? "";
    // The value is not told: it may be a token.
    if (!FIELD_NAME.test(name) || NOT_IN_VALUE.test(value))
      throw new TypeError(`no header: ${JSON.stringify(name)}`);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}
