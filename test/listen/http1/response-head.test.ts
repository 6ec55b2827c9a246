import { describe, expect, it } from "vitest";
import { fieldLines, statusLine } from "../../../src/listen/http1/response-head.ts";

describe("statusLine()", () => {
  it("has the reason phrase, for a status that has none too", () => {
    expect([200, 404, 499].map(statusLine)).toEqual([
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 404 Not Found\r\n",
      "HTTP/1.1 499 Unknown\r\n",
    ]);
  });
});

describe("fieldLines()", () => {
  it("writes a line for each value", () => {
    expect(fieldLines({ a: "1", "x-b": ["2", "caf\xe9"], c: [] })).toBe("a: 1\r\nx-b: 2\r\nx-b: caf\xe9\r\n");
  });

  it("leaves out what the carrier says itself", () => {
    const given = { connection: "keep-alive", "content-length": "5", "transfer-encoding": "x", date: "now" };
    expect(fieldLines({ ...given, a: "1" })).toBe("a: 1\r\n");
  });

  // U+010A and U+010D are LF and CR when Latin-1 cuts them.
  it.each(["\r\nb: 2", "a\nb", "a\rb", "\0", "\x7f", "\u010a", "\u010d", "\u20ac"])(
    "throws on the value %j, alone and in a list, instead of writing lines of its own",
    (value) => {
      expect(() => fieldLines({ a: value })).toThrow(TypeError);
      expect(() => fieldLines({ a: ["1", value] })).toThrow(TypeError);
    },
  );

  it.each(["", "A", "a b", "a:", "a\r\nb", "\u00e9"])("throws on the name %j", (name) => {
    expect(() => fieldLines({ [name]: "1" })).toThrow(TypeError);
  });
});
