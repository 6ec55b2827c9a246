import { describe, expect, it } from "vitest";
import { isAuthority } from "../../src/lib/authority.ts";

describe("isAuthority()", () => {
  it.each(["localhost", "a.b:1", "127.0.0.1:65535", "[::1]", "[fe80::1]:443", "%2Ftmp%2Fx", "a_b", "xn--a"])(
    "takes %j",
    (value) => {
      expect(isAuthority(value)).toBe(true);
    },
  );

  it.each([
    undefined,
    "",
    "a b",
    "[",
    "[::1",
    "a:65536",
    "a:",
    "a:b",
    "%zz",
    "u@h",
    "a/b",
    "a\n",
    "a,b c",
    "ü",
    "x".repeat(256),
  ])("refuses %j", (value) => {
    expect(isAuthority(value)).toBe(false);
    // What was taken last is remembered; what was refused is not.
    expect(isAuthority("localhost")).toBe(true);
    expect(isAuthority(value)).toBe(false);
  });
});
