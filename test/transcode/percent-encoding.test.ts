import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeSegment, encodeSegments } from "../../src/transcode/percent-encoding.ts";
import { anyText } from "../support/any-text.ts";

/** By the definition: byte by byte. */
function byBytes(value: string, raw: RegExp): string {
  return [...Buffer.from(value, "utf8")]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return raw.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

describe("percent-encoding", () => {
  it("leaves A-Z a-z 0-9 - _ . ~ and nothing else of ASCII", () => {
    const ascii = String.fromCharCode(...Array.from({ length: 128 }, (_, code) => code));
    expect(encodeSegment(ascii)).toBe(byBytes(ascii, /[A-Za-z0-9\-_.~]/));
    expect(encodeSegments(ascii)).toBe(byBytes(ascii, /[A-Za-z0-9\-_.~/]/));
  });

  it.each([
    ["example.com:p", "example.com%3Ap"],
    ["a/b", "a%2Fb"],
    ["%2F", "%252F"],
    ["!*'()", "%21%2A%27%28%29"],
    ["donnée", "donn%C3%A9e"],
    ["𝒜𝒷", "%F0%9D%92%9C%F0%9D%92%B7"],
    ["a b+c", "a%20b%2Bc"],
  ])("encodes %s", (value, encoded) => {
    expect(encodeSegment(value)).toBe(encoded);
  });

  it("is the UTF-8 bytes of any text", () => {
    fc.assert(
      fc.property(anyText(), (value) => {
        expect(encodeSegment(value)).toBe(byBytes(value, /[A-Za-z0-9\-_.~]/));
        expect(encodeSegments(value)).toBe(byBytes(value, /[A-Za-z0-9\-_.~/]/));
      }),
      { numRuns: 2000 },
    );
  });
});
