import { describe, expect, it, test } from "vitest";
import { nearest } from "../../src/lib/nearest.ts";

const KEYS = ["listen", "upstream", "endpoint", "api_version", "cors"];

describe("nearest()", () => {
  it.each([
    ["endpont", "endpoint"],
    ["enpdoint", "endpoint"],
    ["Listen", "listen"],
    ["upsteram", "upstream"],
    ["apiversion", "api_version"],
    ["apiVersion", "api_version"],
    ["cor", "cors"],
  ])("finds what %s means", (word, meant) => {
    expect(nearest(word, KEYS)).toBe(meant);
  });

  it.each(["port", "x", "", "completely_different"])("finds nothing near %j", (word) => {
    expect(nearest(word, KEYS)).toBeUndefined();
  });
});

test("a word that only one candidate begins with is short for it", () => {
  const names = ["certificate", "key", "required"];
  expect(nearest("cert", names)).toBe("certificate");
  expect(nearest("CERTIF", names)).toBe("certificate");
  expect(nearest("re", names)).toBeUndefined();
});
