import { describe, expect, it } from "vitest";
import { type RequestHead, readRequestHead } from "../../../src/listen/http1/request-head.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../../src/listen/limits.ts";

const LINE = "POST /a/b?c HTTP/1.1\r\nHost: example\r\n";

function read(text: string, limits = {}): RequestHead | string | undefined {
  const bytes = Buffer.from(text, "latin1");
  return readRequestHead(bytes, 0, bytes.length, { ...DEFAULT_LISTENER_LIMITS, ...limits });
}

const served = (text: string): RequestHead => {
  const head = read(text);
  if (typeof head !== "object") throw new Error(`not served: ${head}`);
  return head;
};
const headersOf = (lines: string) => ({ ...served(`${LINE}${lines}\r\n`).headers });

describe("readRequestHead()", () => {
  it("reads the request line, the fields and the framing", () => {
    const text = `${LINE}Content-Type:application/json\r\nContent-Length: 012 \r\nX-Empty:\r\n\r\n`;
    expect({ ...served(`${text}{}`), headers: undefined }).toEqual({
      method: "POST",
      target: "/a/b?c",
      minor: 1,
      bytes: text.length,
      bodyBytes: 12,
      keepAlive: true,
      expectsContinue: false,
      headers: undefined,
    });
    expect({ ...served(text).headers }).toEqual({
      host: "example",
      "content-type": "application/json",
      "content-length": "012",
      "x-empty": "",
    });
  });

  it("skips one empty line in front, and no more", () => {
    const text = `${LINE}\r\n`;
    expect(served(`\r\n${text}`).bytes).toBe(text.length + 2);
    expect(read(`\r\n\r\n${text}`)).toBe("");
  });

  it("lower-cases names, cuts blanks off values, and keeps their other bytes as Latin-1", () => {
    expect(headersOf("X-Name-9:\t  a b\xe9\t c \t\r\n")).toMatchObject({ "x-name-9": "a b\xe9\t c" });
  });

  it("joins the lines of one name, cookies by their own sign", () => {
    const lines =
      "Authorization: a\r\na: 1\r\nauthorization: b\r\nCookie: x=1\r\nA: 2\r\nset-cookie: s\r\ncookie: y=2\r\nSet-Cookie: t\r\n";
    expect(headersOf(lines)).toMatchObject({
      a: "1, 2",
      authorization: "a, b",
      cookie: "x=1; y=2",
      "set-cookie": "s, t",
    });
  });

  it("gives a record that knows only what was sent", () => {
    const { headers } = served(`${LINE}__proto__: x\r\nconstructor: y\r\n\r\n`);
    expect(Object.entries(headers)).toEqual([
      ["host", "example"],
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    const plain = served(`${LINE}\r\n`).headers;
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"])
      expect(plain[name]).toBeUndefined();
    expect(Object.keys(plain)).toEqual(["host"]);
  });

  it.each([
    ["", true],
    ["Connection: keep-alive\r\n", true],
    ["Connection: close\r\n", false],
    ["Connection: TE, Close\r\n", false],
    ["Connection: closed\r\n", true],
    ["Connection: te\r\nConnection:close\r\n", false],
  ])("reads from %j whether the connection stays", (lines, keepAlive) => {
    expect(served(`${LINE}${lines}\r\n`).keepAlive).toBe(keepAlive);
  });

  it("closes after a request of HTTP/1.0, which needs no Host", () => {
    expect(served("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")).toMatchObject({
      minor: 0,
      keepAlive: false,
    });
  });

  it("reads all forms of a target but the one for tunnels", () => {
    const target = (text: string) => read(`GET ${text} HTTP/1.1\r\nHost: a\r\n\r\n`);
    for (const text of ["/", "//a", "/a?b#c", "*"]) expect(target(text)).toMatchObject({ target: text });
    expect(target("HTTPS://b:1/c")).toMatchObject({ target: "/c", headers: { host: "b:1" } });
    for (const text of [
      "a",
      "a:80",
      "**",
      "ftp://a/",
      "http:/a",
      "http://",
      "http://b@a/",
      "?a",
      "#",
      "\x80",
      "/\x80",
      "/\x7f",
    ])
      expect(target(text)).toBe("400 Bad Request");
    expect(read("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")).toBe("501 Not Implemented");
  });

  it.each([
    ["GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "two blanks"],
    [" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a blank in front"],
    ["GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "two blanks before the version"],
    ["GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "a blank at the end"],
    ["GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "a tab"],
    ["GET / http/1.1\r\nHost: a\r\n\r\n", "no blank before a version", ""],
    ["GET / HTTP/1.2\r\nHost: a\r\n\r\n", "a later version"],
    ["GET / HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/2 in HTTP/1's words"],
    ["GET / HTTP/1.10\r\nHost: a\r\n\r\n", "two digits"],
    ["GET / HTTP/1.1\nHost: a\r\n\r\n", "a bare LF"],
    ["GET / HTTP/1.1\rHost: a\r\n\r\n", "a bare CR"],
    ["G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "no token"],
    [`${"G".repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`, "a method that is too long"],
    [" / HTTP/1.1\r\nHost: a\r\n\r\n", "no method"],
  ])("refuses the request line of %j (%s)", (text, _why, expected = "400 Bad Request") => {
    expect(read(text)).toBe(expected);
  });

  it("tells a line that is no request line of HTTP/1, once it is there", () => {
    expect(read("EHLO mail.example")).toBeUndefined();
    expect(read("EHLO mail.example\r\n")).toBe("");
    expect(read("GET /\r\n")).toBe("");
    expect(read("GET / HTTP/1.1x\r\n")).toBe("400 Bad Request");
  });

  it.each([
    ["a blank before the colon", "X : a\r\n"],
    ["a tab before the colon", "X\t: a\r\n"],
    ["no colon", "X\r\n"],
    ["no name", ": a\r\n"],
    ["a name that is no token", "X(: a\r\n"],
    ["a name with bytes above ASCII", "X\xe9: a\r\n"],
    ["a folded line", "X: a\r\n b\r\n"],
    ["a folded line with a tab", "X: a\r\n\tb\r\n"],
    ["a bare LF", "X: a\nY: b\r\n"],
    ["a bare CR", "X: a\rY: b\r\n"],
    ["CR CR LF", "X: a\r\r\n"],
    ["NUL", "X: a\0b\r\n"],
    ["a control character", "X: a\x01b\r\n"],
    ["DEL", "X: a\x7fb\r\n"],
    ["a bare LF for the empty line", "X: a\r\n\nGET /"],
    ["a bare CR for the empty line", "X: a\r\n\rGET /"],
    ["a blank line instead of the empty one", "X: a\r\n \r\n"],
    ["two Hosts", "Host: example\r\n"],
    ["two expectations", "Expect: 100-continue\r\nExpect: 100-continue\r\n"],
    ["two lengths", "Content-Length: 2\r\nContent-Length: 2\r\n"],
    ["a list of lengths", "Content-Length: 2, 2\r\n"],
    ["a signed length", "Content-Length: +2\r\n"],
    ["a negative length", "Content-Length: -2\r\n"],
    ["a hexadecimal length", "Content-Length: 0x2\r\n"],
    ["a length with a blank", "Content-Length: 1 2\r\n"],
    ["an empty length", "Content-Length:\r\n"],
    ["a length that no number holds", "Content-Length: 18446744073709551618\r\n"],
    ["a length of Arabic digits", "Content-Length: \u0662\r\n"],
    ["both framings", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"],
    ["both framings the other way round", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"],
    ["chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"],
    ["a list that ends with chunked", "Transfer-Encoding: gzip, chunked\r\n"],
    ["chunked that is not last", "Transfer-Encoding: chunked, identity\r\n"],
    ["another coding", "Transfer-Encoding: identity\r\n"],
    ["a coding that only begins so", "Transfer-Encoding: chunkedx\r\n"],
    ["a coding with a vertical tab", "Transfer-Encoding: \x0bchunked\r\n"],
    ["a quoted coding", 'Transfer-Encoding: "chunked"\r\n'],
    ["an empty coding", "Transfer-Encoding:\r\n"],
  ])("refuses %s", (_what, lines) => {
    expect(read(`${LINE}${lines}\r\n`)).toBe("400 Bad Request");
  });

  it("refuses HTTP/1.1 without Host, and HTTP/1.0 with chunks", () => {
    expect(read("GET / HTTP/1.1\r\n\r\n")).toBe("400 Bad Request");
    expect(read("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")).toBe("400 Bad Request");
  });

  it("reads expectations of HTTP/1.1, of which it knows one", () => {
    expect(served(`${LINE}Expect: 100-Continue\r\n\r\n`).expectsContinue).toBe(true);
    expect(read(`${LINE}Expect: 200-ok\r\n\r\n`)).toBe("417 Expectation Failed");
    expect(served("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectsContinue).toBe(false);
  });

  it("takes chunks in any case", () => {
    expect(served(`${LINE}transfer-encoding: Chunked\t\r\n\r\n`).bodyBytes).toBe(-1);
  });

  it("counts target, names and values, and the fields", () => {
    const head = (value: string) => `POST /a HTTP/1.1\r\nHost: b\r\nX:${value}\r\n\r\n`;
    // "/a", "Host", "b" and "X" are eight.
    expect(read(head("v".repeat(91)), { headerListBytes: 100 })).toBeTypeOf("object");
    expect(read(head("v".repeat(92)), { headerListBytes: 100 })).toMatch(/^431 /);
    expect(read(head("a"), { headerFields: 2 })).toBeTypeOf("object");
    expect(read(head("a"), { headerFields: 1 })).toMatch(/^431 /);
    expect(read(`${LINE}${"x:1\r\n".repeat(300)}\r\n`, { headerFields: 301 })).toBeTypeOf("object");
    const absolute = `GET http://${"a".repeat(84)}/ HTTP/1.1\r\nHost: b\r\n\r\n`;
    expect(read(absolute, { headerListBytes: 98 })).toBeTypeOf("object");
    expect(read(absolute, { headerListBytes: 97 })).toMatch(/^431 /);
  });

  it("waits for no more than could be legal", () => {
    const limits = { headerListBytes: 1_000, headerFields: 60 };
    const begun = `${LINE}X:${" ".repeat(1_900)}`;
    expect(read(begun, limits)).toBeUndefined();
    expect(read(`${begun}${" ".repeat(100)}`, limits)).toMatch(/^431 /);
    expect(read(`${begun}${" ".repeat(100)}\r\n\r\n`, limits)).toMatch(/^431 /);
    expect(read("G".repeat(2_001), limits)).toMatch(/^431 /);
  });

  it("waits for the rest wherever the head is cut, and is not confused by what comes after it", () => {
    const head = `${LINE}X-Long-Name:  some value \r\nContent-Length: 3\r\n\r\n`;
    for (let cut = 0; cut < head.length; cut++) expect(read(head.slice(0, cut))).toBeUndefined();
    const after = read(`${head}a: b\r\n\r\n`);
    expect(after).toEqual(read(head));
  });

  it("reads a head where it lies", () => {
    const bytes = Buffer.from(`xx${LINE}a: b\r\n\r\nyy`);
    const head = readRequestHead(bytes, 2, bytes.length - 2, DEFAULT_LISTENER_LIMITS);
    expect(head).toEqual(read(`${LINE}a: b\r\n\r\n`));
  });
});
