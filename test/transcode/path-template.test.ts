import { describe, expect, it } from "vitest";
import { parsePathTemplate } from "../../src/transcode/path-template.ts";

describe("parsePathTemplate()", () => {
  it.each([
    ["/v1/operations", ["v1", "operations"], undefined],
    ["/v1/{name}", ["v1", { fieldPath: "name", pattern: ["*"] }], undefined],
    ["/v1/{name=**}", ["v1", { fieldPath: "name", pattern: ["**"] }], undefined],
    [
      "/v1/{name=projects/*/operations/*}:cancel",
      ["v1", { fieldPath: "name", pattern: ["projects", "*", "operations", "*"] }],
      "cancel",
    ],
    [
      "/v2/{name=operations/projects/**}/operations",
      ["v2", { fieldPath: "name", pattern: ["operations", "projects", "**"] }, "operations"],
      undefined,
    ],
    [
      "/v1/{a.b_c=x/*}/{d}:do-it",
      ["v1", { fieldPath: "a.b_c", pattern: ["x", "*"] }, { fieldPath: "d", pattern: ["*"] }],
      "do-it",
    ],
  ])("reads %s", (text, segments, verb) => {
    expect(parsePathTemplate(text)).toStrictEqual({ text, segments, verb });
  });

  it.each([
    ["", 0, 'must begin with "/"'],
    ["v1/x", 0, 'must begin with "/"'],
    ["/", 1, "expected a literal or a variable, found the end"],
    ["/v1//x", 4, 'expected a literal or a variable, found "/"'],
    ["/v1/x/", 6, "expected a literal or a variable, found the end"],
    ["/v1/*", 4, "a wildcard outside of a variable: nothing could fill it; write {name=…}"],
    ["/v1/{name", 4, '"{" is never closed'],
    ["/v1/{name=a/*", 4, '"{" is never closed'],
    ["/v1/{}", 5, 'expected the name of a request field, found "}"'],
    ["/v1/{=a}", 5, 'expected the name of a request field, found "="'],
    ["/v1/{name=}", 10, 'expected "*", "**" or a literal, found "}"'],
    ["/v1/{name=a//b}", 12, 'expected "*", "**" or a literal, found "/"'],
    ["/v1/{name={x}}", 10, 'expected "*", "**" or a literal, found "{"'],
    ["/v1/{name=***}", 12, 'unexpected "*" in a variable'],
    ["/v1/{name=a*}", 11, 'unexpected "*" in a variable'],
    ["/v1/{name=**/a/**}", 15, 'a second "**": a name could be taken apart in several ways'],
    ["/v1/{a=**}/{b=**}", 14, 'a second "**": a name could be taken apart in several ways'],
    ["/v1/{name=a}/{name=b}", 13, 'the variable "name" occurs twice'],
    ["/v1/{name}x", 10, 'unexpected "x"'],
    ["/v1/x}", 5, 'unexpected "}"'],
    ["/v1/x:", 6, "expected a verb after the colon, found the end"],
    ["/v1/x:a/b", 7, 'unexpected "/"'],
    ["/v1/x:a:b", 7, 'unexpected ":"'],
    ["/v1/../x", 4, "a dot segment"],
    ["/v1/{name=a/.}", 12, "a dot segment"],
    ["/v1/x?y=1", 5, 'unexpected "?"'],
    ["/v1/x#y", 5, 'unexpected "#"'],
    ["/v1/a%2Fb", 5, 'unexpected "%"'],
    ["/v1/é", 4, 'expected a literal or a variable, found "é"'],
    ["/v1/{name=a b}", 11, 'unexpected " " in a variable'],
  ])("says where and why %j is none", (text, position, problem) => {
    expect(parsePathTemplate(text)).toStrictEqual({ position, problem });
  });
});
