import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exactNumber, JSON_MAX_DEPTH, readJson, readJsonPrefix } from "../../src/lib/json-document.ts";
import { anyJson } from "../support/any-json.ts";

const json = anyJson({ depthSize: "medium" });

describe("readJson", () => {
  test("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(json, fc.constantFrom(0, 2, "\t"), (value, space) => {
        const text = JSON.stringify(value, null, space);
        // Not toStrictEqual, which takes a member named "constructor" for the class of the object.
        deepStrictEqual(readJson(text).root, JSON.parse(text));
      }),
    );
  });

  test("refuses what JSON.parse refuses, whatever single character is put in or left out", () => {
    const edit = fc.tuple(json, fc.nat(), fc.constantFrom(...'[]{},:"\\01eE+-.tn \u0007x', ""), fc.nat(1));
    fc.assert(
      fc.property(edit, ([value, at, character, drop]) => {
        const text = JSON.stringify(value);
        const position = at % (text.length + 1);
        const edited = text.slice(0, position) + character + text.slice(position + drop);
        expect(
          refuses(() => readJson(edited)),
          edited,
        ).toBe(refuses(() => JSON.parse(edited)));
      }),
      { numRuns: 2000 },
    );
  });

  test.for([
    ["0", 0],
    ["-0", -0],
    ["1.0", 1],
    ["9007199254740992", 9007199254740992],
    ["9007199254740993", "9007199254740993"],
    ["-9223372036854775808", -(2 ** 63)],
    ["9223372036854775807", "9223372036854775807"],
    ["18446744073709551616", 2 ** 64],
    ["44097657578556090", 44097657578556088],
    ["1e400", "1e400"],
    ["-1E400", "-1E400"],
    ["1e-400", "1e-400"],
    ["0e5", 0],
    ["5e-324", 5e-324],
    ["0.10000000000000001", 0.1],
    ["3.14159265358979323846", "3.14159265358979323846"],
    ["1.5e300", 1.5e300],
  ] as const)("takes the number %s as %s", ([token, value]) => {
    expect(exactNumber(token)).toStrictEqual(value);
    expect(readJson(`[${token}]`).root).toStrictEqual([value]);
  });

  test("takes the last of equal keys, and any key as an own one", () => {
    const { root } = readJson('{"a":1,"\\u0061":2,"__proto__":{"x":1},"__proto__":5}');
    expect(Object.entries(root as object)).toEqual([
      ["a", 2],
      ["__proto__", 5],
    ]);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test("makes strings well-formed", () => {
    expect(readJson('["\\ud800", "\\udc00x", "\\ud83d\\ude00"]').root).toEqual(["\ufffd", "\ufffdx", "😀"]);
  });

  test("keeps the text of what is nested too deep, without recursion", () => {
    const deep = `${"[".repeat(100_000)}"]\\"["${"]".repeat(100_000)}`;
    const document = readJson(deep);
    let at = document.root;
    for (let level = 0; level < JSON_MAX_DEPTH; level++) at = (at as never[])[0] as never;
    expect(at).toEqual({});
    expect(document.source(at as object as never)).toBe(deep.slice(JSON_MAX_DEPTH, -JSON_MAX_DEPTH));
    expect(() => readJson(deep.slice(0, -1))).toThrow(SyntaxError);
  });

  test("knows the text of each object and array", () => {
    const document = readJson('{"a": [1, {"b":2} ]}');
    const root = document.root as { a: [number, never] };
    expect(document.source(root)).toBe('{"a": [1, {"b":2} ]}');
    expect(document.source(root.a)).toBe('[1, {"b":2} ]');
    expect(document.source(root.a[1])).toBe('{"b":2}');
  });
});

describe("readJsonPrefix", () => {
  test("reads something from a text cut anywhere, and never more than there was", () => {
    const container = fc.oneof(fc.array(json, { minLength: 1 }), fc.dictionary(fc.string(), json));
    fc.assert(
      fc.property(container, fc.nat(), (value, at) => {
        const text = JSON.stringify(value);
        const cut = text.slice(0, 1 + (at % text.length));
        const document = readJsonPrefix(cut);
        expect(document.isWhole(document.root as never)).toBe(cut === text);
        expect(contains(JSON.parse(text), document.root), cut).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test("keeps complete members, and the part of a string that came", () => {
    const text = '{"error":{"code":400,"status":"FAILED_PRECONDITION","details":[{"a":1},{"b":"cut he';
    expect(readJsonPrefix(text).root).toEqual({
      error: { code: 400, status: "FAILED_PRECONDITION", details: [{ a: 1 }, { b: "cut he" }] },
    });
    expect(readJsonPrefix('{"a":12').root).toEqual({});
    expect(readJsonPrefix('{"a":"x\\u00').root).toEqual({ a: "x" });
    expect(readJsonPrefix('{"a":"x\\\\').root).toEqual({ a: "x\\" });
    expect(readJsonPrefix('{"a":tru').root).toEqual({});
  });

  test.for(["", "<html>", "{]", '{"a" 1}', "[1 2]", "nope"])(
    "refuses %j, which is wrong rather than short",
    (text) => {
      expect(() => readJsonPrefix(text)).toThrow(SyntaxError);
    },
  );
});

function refuses(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError);
    return true;
  }
}

/** Whether `part` is a beginning of `whole`. */
function contains(whole: unknown, part: unknown): boolean {
  if (typeof part === "string")
    return typeof whole === "string" && whole.startsWith(part.replace(/\ufffd$/, ""));
  if (Array.isArray(part))
    return Array.isArray(whole) && part.every((item, index) => contains(whole[index], item));
  if (typeof part === "object" && part !== null)
    return (
      typeof whole === "object" &&
      whole !== null &&
      Object.entries(part).every(
        ([key, value]) =>
          Object.hasOwn(whole, key) &&
          contains(Object.entries(whole).find(([name]) => name === key)?.[1], value),
      )
    );
  return Object.is(whole, part);
}
