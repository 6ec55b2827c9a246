/**
 * What our server takes for a request, `node:http` takes for the very same request: same method, target, headers and
 * body, and the same place where the next one begins. It may take less. Generated requests, right, nearly right and
 * mutilated, cut anywhere, go to both. 1,000 by default; `HTTP1_RUNS=200000` for more.
 */
import { METHODS } from "node:http";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Seen, throughNode, throughOwn } from "./harness.ts";

const RUNS = Number(process.env["HTTP1_RUNS"] ?? 1_000);

const token = fc.string({
  unit: fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ"),
  minLength: 1,
  maxLength: 12,
});
const text = fc.string({ unit: fc.constantFrom(...'aB1 \t",;:=\x21\x7e\x80\xff'), maxLength: 20 });

/** Mostly the first, sometimes one of the others. */
const mostly = (usual: string, ...others: string[]) =>
  fc.oneof(
    { arbitrary: fc.constant(usual), weight: 40 },
    { arbitrary: fc.constantFrom(...others), weight: 1 },
  );

const lineEnd = mostly("\r\n", "\n", "\r", "\r\r\n", "\n\r", " \r\n", "\0\r\n");
const colon = mostly(": ", ":", ":\t ", " :", "\t:", "", ": \x0b", ":\r\n ", ": \0");
const name = fc.oneof(
  { arbitrary: token, weight: 3 },
  fc.constantFrom("content-length", "Content-Length", "transfer-encoding", "Transfer-Encoding", "Connection"),
  fc.constantFrom("Host", "Cookie", "set-cookie", "Upgrade", "Expect", "TE", "Trailer", "Content-Type"),
  fc.constantFrom(
    "Transfer_Encoding",
    "Content-Length\0",
    "__proto__",
    "HTTP2-Settings",
    "",
    " X",
    "Keep-Alive",
  ),
);
const value = fc.oneof(
  { arbitrary: text, weight: 3 },
  fc.constantFrom("0", "2", "3", "5", "10", "+2", "-1", "0x2", "2, 2", "002", "2 2", "99999999999999999999"),
  fc.constantFrom(
    "chunked",
    "Chunked",
    "chunked, chunked",
    "gzip, chunked",
    "identity",
    "chunked;a=b",
    "chunke",
  ),
  fc.constantFrom(
    "close",
    "keep-alive",
    "upgrade",
    "Upgrade, close",
    "h2c",
    "websocket",
    "100-continue",
    "te",
  ),
);
const fieldLine = fc.tuple(name, colon, value, lineEnd).map((parts) => parts.join(""));

/** The path of a URL, RFC 3986: what fast-check's `webPath` makes, which takes a second of CPU to prepare. */
const path = fc
  .array(
    fc.string({
      unit: fc.oneof(
        { arbitrary: fc.constantFrom(..."azAZ09-._~!$&'()*+,;=:@"), weight: 4 },
        fc.nat({ max: 0xff }).map((byte) => `%${byte.toString(16).padStart(2, "0")}`),
      ),
      maxLength: 10,
    }),
    { maxLength: 4 },
  )
  .map((segments) => segments.map((segment) => `/${segment}`).join(""));

const method = fc.oneof(
  { arbitrary: fc.constantFrom("POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE"), weight: 8 },
  fc.constantFrom("CONNECT", "post", "PRI", "M-SEARCH", "P(ST", "", "SOURCE"),
);
const target = fc.oneof(
  { arbitrary: path.map((path) => `/${path}`), weight: 4 },
  fc.constantFrom(
    "/",
    "*",
    "http://b/b",
    "https://b",
    "http://c@b/b",
    "http://b?c=http://d",
    "a:80",
    "//",
    "/a#b",
    "/a b",
    "/\x80",
    "http:/a",
    "/\x01",
  ),
  token,
);
const version = mostly(
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "HTTP/0.9",
  "http/1.1",
  "HTTP/1.10",
  "HTTP/11",
);

const extension = mostly(
  "",
  ";a",
  ";a=b",
  ';a="b"',
  ";",
  "; a",
  ";a =b",
  ";a=",
  ';a="',
  ' ;a="\\""',
  ";a\n",
  "\t",
);
const digits = fc.oneof(
  { arbitrary: fc.constant((size: number) => size.toString(16)), weight: 12 },
  fc.constantFrom(
    (size: number) => `0${size.toString(16)}`,
    (size: number) => `0x${size.toString(16)}`,
    (size: number) => `+${size}`,
    (size: number) => `-${size}`,
    (size: number) => ` ${size}`,
    (size: number) => `${size} `,
    (size: number) => `${size + 1}`,
    (size: number) => `1000000000000000${size}`,
    () => "",
    () => "ffffffff",
  ),
);
const chunk = fc
  .tuple(text, digits, extension, lineEnd, lineEnd)
  .map(([data, write, ext, first, last]) => `${write(data.length)}${ext}${first}${data}${last}`);
const trailer = fc.oneof(
  { arbitrary: fc.constant(""), weight: 4 },
  fc.array(fieldLine, { maxLength: 2 }).map((lines) => lines.join("")),
);
const chunks = fc
  .tuple(fc.array(chunk, { maxLength: 3 }), mostly("0", "00", "0;a", "", "0 "), lineEnd, trailer, lineEnd)
  .map(([all, last, end, trailers, empty]) => `${all.join("")}${last}${end}${trailers}${empty}`);

const length = fc.constantFrom(
  (size: number) => ` ${size} \t`,
  (size: number) => `00${size}`,
  (size: number) => `+${size}`,
  (size: number) => `-${size}`,
  (size: number) => ` 0x${size}`,
  (size: number) => `${size}, ${size}`,
  (size: number) => `${size},`,
  (size: number) => `${size} ${size}`,
  (size: number) => `${size}.0`,
  (size: number) => `${size}e0`,
  (size: number) => `1844674407370955161${6 + size}`,
);

const body = fc.oneof(
  fc.constant(["", ""] as const),
  text.map((data) => [`Content-Length: ${data.length}\r\n`, data] as const),
  fc
    .tuple(text, length, lineEnd)
    .map(([data, write, end]) => [`Content-Length:${write(data.length)}${end}`, data] as const),
  chunks.map((data) => ["Transfer-Encoding: chunked\r\n", data] as const),
  // The framing comes from the other lines, or not at all.
  fc.oneof(text, chunks).map((data) => ["", data] as const),
);

const request = fc
  .record({
    front: mostly("", "\r\n", "\n", "\r\n\r\n", " "),
    method,
    target,
    version,
    blank: mostly(" ", "  ", "\t"),
    end: lineEnd,
    host: mostly("Host: a\r\n", "", "Host: a\r\nHost: b\r\n", "Host:\r\n"),
    lines: fc.array(fieldLine, { maxLength: 3 }),
    body,
    empty: mostly("\r\n", "\n", "\r", " \r\n"),
  })
  .map(
    ({ front, blank, end, host, lines, empty, ...one }) =>
      `${front}${one.method} ${one.target}${blank}${one.version}${end}${host}${lines.join("")}${one.body[0]}${empty}${one.body[1]}`,
  );

/** A byte put in, taken out or replaced. */
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  removed: fc.integer({ min: 0, max: 2 }),
  put: fc.oneof(
    fc.constantFrom("", "\r", "\n", "\0", " ", ":", "\x0b", "\x7f", "\x80", ","),
    fc.string({ unit: "binary-ascii", maxLength: 2 }),
  ),
});
const mutations = fc.oneof({ arbitrary: fc.constant([]), weight: 2 }, fc.array(mutation, { maxLength: 3 }));
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });

function mutate(bytes: string, changes: readonly { at: number; removed: number; put: string }[]): string {
  let changed = bytes;
  for (const { at, removed, put } of changes) {
    const place = Math.floor(at * changed.length);
    changed = changed.slice(0, place) + put + changed.slice(place + removed);
  }
  return changed;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [
    0,
    ...places.map((place) => Math.floor(place * bytes.length)).sort((a, b) => a - b),
    bytes.length,
  ];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

/** Node knows a list of methods; to us, as to HTTP/2 and RFC 9110 §9.1, any token is one, and the router refuses it. */
function isUnknownToNode({ method }: Seen): boolean {
  return !METHODS.includes(method);
}

/** What every client in use might send, and nothing else. */
const wellFormed = fc
  .record({
    method: fc.constantFrom("POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE"),
    path,
    lines: fc.uniqueArray(
      fc.tuple(
        token.map((part) => `X-${part}`),
        text,
      ),
      { maxLength: 4, selector: ([x]) => x.toLowerCase() },
    ),
    body: fc.oneof(
      text.map((data) => `Content-Length: ${data.length}\r\n\r\n${data}`),
      fc
        .tuple(
          fc.array(
            text.filter((data) => data.length > 0),
            { maxLength: 5 },
          ),
          fc.array(text, { maxLength: 2 }),
        )
        .map(([pieces, trailers]) => {
          const chunked = pieces.map((data) => `${data.length.toString(16)};a="b";c\r\n${data}\r\n`);
          const lines = trailers.map((data) => `X-Trailer: ${data}\r\n`);
          return `Transfer-Encoding: chunked\r\n\r\n${chunked.join("")}0\r\n${lines.join("")}\r\n`;
        }),
    ),
  })
  .map(({ method: verb, path, lines, body: rest }) => {
    const fields = lines.map(([field, data]) => `${field}: ${data}\r\n`);
    return `${verb} /${path} HTTP/1.1\r\nHost: a\r\n${fields.join("")}${rest}`;
  });

describe("a request of HTTP/1.1", { timeout: 600_000 }, () => {
  it("means to us what it means to node:http, or is refused", async () => {
    let taken = 0;
    const property = fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 3 }),
      mutations,
      cuts,
      async (requests, changes, places) => {
        const bytes = Buffer.from(mutate(requests.join(""), changes), "latin1");
        const own = await throughOwn(cut(bytes, places));
        const node = await throughNode([bytes]);
        for (const [i, seen] of own.seen.entries()) {
          if (isUnknownToNode(seen)) return;
          expect(seen).toEqual(node.seen[i]);
          taken++;
        }
      },
    );
    await fc.assert(property, { numRuns: RUNS });
    // A property that everything is refused would hold, too.
    expect(taken).toBeGreaterThan(RUNS / 4);
  });

  it("is taken as node:http takes it when it is well-formed, pipelined and cut anywhere", async () => {
    const property = fc.asyncProperty(
      fc.array(wellFormed, { minLength: 1, maxLength: 3 }),
      cuts,
      async (requests, places) => {
        const bytes = Buffer.from(requests.join(""), "latin1");
        const own = await throughOwn(cut(bytes, places));
        const node = await throughNode([bytes]);
        expect(own.seen).toEqual(node.seen);
        expect(own.seen).toHaveLength(requests.length);
        expect(own.ended).toBe(false);
      },
    );
    await fc.assert(property, { numRuns: Math.ceil(RUNS / 3) });
  });

  it("is answered in the same way however its bytes are cut", async () => {
    const property = fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 3 }),
      mutations,
      cuts,
      async (requests, changes, places) => {
        const bytes = Buffer.from(mutate(requests.join(""), changes), "latin1");
        const whole = await throughOwn([bytes]);
        for (const pieces of [cut(bytes, places), Array.from(bytes, (byte) => Buffer.of(byte))])
          expect(await throughOwn(pieces)).toEqual(whole);
      },
    );
    await fc.assert(property, { numRuns: Math.ceil(RUNS / 10) });
  });
});
