import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { areTrailers, readRequestHead } from "../../../src/listen/http2/request-head.ts";
import { cpuMs } from "../../support/cpu-time.ts";

const call = [":method", "POST", ":scheme", "http", ":path", "/a/B?c", ":authority", "localhost"];

describe("readRequestHead()", () => {
  it("reads the header list of a call", () => {
    expect(readRequestHead([...call, "te", "trailers", "content-length", "12"])).toEqual({
      verb: "POST",
      target: "/a/B?c",
      authority: "localhost",
      contentLength: 12,
      expectsContinue: false,
      headers: Object.assign(Object.create(null), {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/a/B?c",
        ":authority": "localhost",
        te: "trailers",
        "content-length": "12",
      }),
    });
    expect(readRequestHead(call)?.contentLength).toBe(-1);
  });

  it.each([
    ["lines of one name are joined", ["x-a", "1", "x-b", "2", "x-a", "3"], "x-a", "1, 3"],
    ["but cookies by a semicolon", ["cookie", "a=b", "cookie", "c=d"], "cookie", "a=b; c=d"],
    ["a value may be empty", ["x-a", ""], "x-a", ""],
    ["white space around a value is stripped", ["x-a", " \tb c \t"], "x-a", "b c"],
    ["and a value of white space alone", ["x-a", " \t "], "x-a", ""],
    ["bytes above ASCII stay as they are", ["x-a", "\xe4\xff"], "x-a", "\xe4\xff"],
    ["a name may be one of an Object's", ["constructor", "1"], "constructor", "1"],
    ["or be __proto__", ["__proto__", "1"], "__proto__", "1"],
  ])("%s", (_what, fields, name, value) => {
    expect(readRequestHead([...call, ...fields])?.headers[name]).toBe(value);
  });

  it("has nothing that was not sent", () => {
    const headers = readRequestHead(call)?.headers ?? {};
    for (const name of ["constructor", "toString", "__proto__", "host"])
      expect(headers[name]).toBeUndefined();
  });

  const without = (name: string) => call.filter((_, at) => call[at - (at % 2)] !== name);

  it("takes the authority from Host where there is no :authority", () => {
    expect(readRequestHead([...without(":authority"), "host", "a:1"])?.authority).toBe("a:1");
    expect(readRequestHead([...call, "host", "LOCALHOST:80"])?.authority).toBe("localhost");
  });

  it("takes CONNECT without path, and OPTIONS of everything", () => {
    const connect = [":method", "CONNECT", ":authority", "a:1"];
    expect(readRequestHead(connect)).toMatchObject({ verb: "CONNECT", target: "" });
    expect(readRequestHead([...connect, ":path", "/"])).toBeUndefined();
    const options = [":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "a"];
    expect(readRequestHead(options)?.target).toBe("*");
    expect(readRequestHead(options.map((one) => (one === "OPTIONS" ? "GET" : one)))).toBeUndefined();
  });

  it.each([
    ["no method", without(":method")],
    ["no scheme", without(":scheme")],
    ["no path", without(":path")],
    ["no authority", without(":authority")],
    ["an empty path", [...without(":path"), ":path", ""]],
    ["a path that does not begin with a slash", [...without(":path"), ":path", "a/B"]],
    ["an empty method", [...without(":method"), ":method", ""]],
    ["a method that is no token", [...without(":method"), ":method", "PO ST"]],
    ["two methods", [...call, ":method", "POST"]],
    ["two paths", [...call, ":path", "/other"]],
    ["two authorities", [...call, ":authority", "localhost"]],
    ["a pseudo-field of answers", [...call, ":status", "200"]],
    ["an unknown pseudo-field", [...call, ":protocol", "websocket"]],
    ["a pseudo-field behind another", [...without(":path"), "x-a", "b", ":path", "/"]],
    ["a capital in a name", [...call, "X-a", "b"]],
    ["a space in a name", [...call, "x a", "b"]],
    ["a colon in a name", [...call, "x:a", "b"]],
    ["an empty name", [...call, "", "b"]],
    ["connection", [...call, "connection", "close"]],
    ["keep-alive", [...call, "keep-alive", "1"]],
    ["proxy-connection", [...call, "proxy-connection", "close"]],
    ["transfer-encoding", [...call, "transfer-encoding", "chunked"]],
    ["upgrade", [...call, "upgrade", "h2c"]],
    ["te of something else", [...call, "te", "trailers, deflate"]],
    ["a host that is not the authority", [...call, "host", "a"]],
    ["two hosts", [...call, "host", "a", "host", "b"]],
    ["two lengths", [...call, "content-length", "1", "content-length", "1"]],
    ["a length that is a list", [...call, "content-length", "1, 1"]],
    ["a length with a sign", [...call, "content-length", "+1"]],
    ["a length that is no number", [...call, "content-length", "1e3"]],
    ["a length that is empty", [...call, "content-length", ""]],
    ["a length beyond numbers", [...call, "content-length", "9".repeat(20)]],
    ["a line break in a value", [...call, "x-a", "b\r\nc: d"]],
    ["a line break in the path", [...without(":path"), ":path", "/a\nb"]],
    ["a NUL in a value", [...call, "x-a", "b\0c"]],
  ])("refuses %s", (_what, fields) => {
    expect(readRequestHead(fields)).toBeUndefined();
  });

  it("reads or refuses anything, in time that grows no faster than its length", () => {
    const text = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom(":path", ":method", "te", "x-a", " "));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 12 }), (fields) => {
        const head = readRequestHead([...call, ...fields.flat()]);
        if (head) for (const name of Object.keys(head.headers)) expect(name).toMatch(/^:?[^A-Z:\s]+$/);
      }),
    );
    const long = [...call, "x-a", ` ${" x".repeat(200_000)} `, "x-b", " ".repeat(400_000)];
    expect(cpuMs(() => readRequestHead(long))).toBeLessThan(200);
  });
});

describe("areTrailers()", () => {
  it("takes fields, and refuses pseudo-fields and what is no field", () => {
    expect(areTrailers(["x-a", "b", "grpc-status", "0"])).toBe(true);
    expect(areTrailers([])).toBe(true);
    for (const fields of [
      [":path", "/"],
      ["X", "a"],
      ["x", "a\n"],
      ["", ""],
    ])
      expect(areTrailers(fields)).toBe(false);
  });
});
