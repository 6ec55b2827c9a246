import { describe, expect, it } from "vitest";
import { RequestText } from "../../../src/upstream/http1/request-text.ts";

const requests = new RequestText("upstream:8080");
const GET = { verb: "GET", path: "/v1/a?b=c", body: undefined } as const;
const HEADERS = ["accept", "application/json"];

describe("RequestText", () => {
  it("writes request line, headers in their order, and the length where a body has a meaning", () => {
    const lines = (verb: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", body?: Uint8Array) =>
      requests.head({ ...GET, verb, body }, HEADERS).split("\r\n");
    const common = ["host: upstream:8080", "connection: keep-alive", "accept: application/json"];
    expect(lines("GET")).toEqual(["GET /v1/a?b=c HTTP/1.1", ...common, "", ""]);
    expect(lines("DELETE")).toEqual(["DELETE /v1/a?b=c HTTP/1.1", ...common, "", ""]);
    for (const verb of ["POST", "PUT", "PATCH"] as const)
      expect(lines(verb)).toEqual([`${verb} /v1/a?b=c HTTP/1.1`, ...common, "content-length: 0", "", ""]);
    expect(lines("DELETE", Buffer.from("äb")).at(-3)).toBe("content-length: 3");
  });

  it("writes the list that it is given, not the one before", () => {
    const token = (value: string) => requests.head(GET, ["authorization", value]);
    expect([token("a"), token("b"), token("a")].map((text) => /authorization: (.)/.exec(text)?.[1])).toEqual([
      "a",
      "b",
      "a",
    ]);
  });

  it.each([" ", "\r\n", "\0", "\x7f", "ä", "Ā"])("refuses a path with %j", (char) => {
    expect(() => requests.head({ ...GET, path: `/a${char}b` }, HEADERS)).toThrow(TypeError);
  });

  it.each(["\r", "\n", "\r\nx: y", "\0", "\x7f", "\u010a"])(
    "refuses a header with %j in its value, and does not tell it",
    (text) => {
      const write = () => requests.head(GET, ["authorization", `secret${text}`]);
      expect(write).toThrow(TypeError);
      expect(write).not.toThrow(/secret/);
    },
  );

  it.each(["", "a b", "a:", "a\r\nb", "ä"])("refuses a header named %j", (name) => {
    expect(() => requests.head(GET, [name, "x"])).toThrow(TypeError);
  });
});
