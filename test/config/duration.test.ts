import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../src/config/duration.ts";

describe("parseDuration()", () => {
  it.each([
    ["250ms", 250],
    ["10s", 10_000],
    ["1.5s", 1500],
    ["30m", 1_800_000],
    ["1h30m", 5_400_000],
    ["0s", 0],
    ["7", 7000],
    [7, 7000],
    [0.25, 250],
  ])("reads %j as %i ms", (written, ms) => {
    expect(parseDuration(written)).toBe(ms);
  });

  it.each([
    "",
    "s",
    "10 s",
    "-1s",
    "1d",
    "1S",
    "1e3s",
    ".5s",
    "1s ",
    Number.NaN,
    -1,
    Number.POSITIVE_INFINITY,
  ])("refuses %j", (written) => {
    expect(parseDuration(written)).toBeUndefined();
  });

  it("reads what formatDuration() writes", () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 9 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});
