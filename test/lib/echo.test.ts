import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { echo, MAX_ECHO_LENGTH } from "../../src/lib/echo.ts";
import { anyText } from "../support/any-text.ts";

describe("echo()", () => {
  it.each([
    ["projects/p", '"projects/p"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["a\r\nb", '"a\\u{d}\\u{a}b"'],
    ["é𝒜\u202e", '"\\u{e9}\\u{1d49c}\\u{202e}"'],
    ["\ud800", '"\\u{d800}"'],
  ])("shows %j as %s", (value, shown) => {
    expect(echo(value)).toBe(shown);
  });

  it("shows at most 64 characters, never half an escape", () => {
    expect(echo("x".repeat(64))).toBe(`"${"x".repeat(64)}"`);
    expect(echo("x".repeat(65))).toBe(`"${"x".repeat(64)}…"`);
    expect(echo(`${"x".repeat(60)}\u2028y`)).toBe(`"${"x".repeat(60)}…"`);
  });

  it("is short printable ASCII for every text", () => {
    fc.assert(
      fc.property(anyText(), (value) => {
        const shown = echo(value);
        expect(shown.length).toBeLessThanOrEqual(MAX_ECHO_LENGTH + 3);
        expect(shown).toMatch(/^"[ -~]*…?"$/);
      }),
    );
  });
});
