import { describe, expect, it } from "vitest";
import { scrub } from "../../src/observe/scrub.ts";
import { cpuMs } from "../support/cpu-time.ts";

describe("scrub()", () => {
  it.each([
    ["GET /v1/projects/p/locations/l/datasets/d/operations/1 failed", "GET /v1/projects/[hidden] failed"],
    ["name=projects%2Fp%2Fdatasets%2Fd&x=1", "name=projects/[hidden]&x=1"],
    ["authorization: Bearer ya29.a0Af_x-y.z", "authorization: Bearer [hidden]"],
    ["token ya29.abc-DEF_1 was refused", "token [hidden] was refused"],
    ["refresh 1//0gabc-DEF", "refresh [hidden]"],
    ["jwt eyJhbGciOi.eyJzdWIi.c2ln!", "jwt [hidden]!"],
    ["proxy http://user:pw@proxy:3128", "proxy http://[hidden]@proxy:3128"],
    ["-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "[hidden]"],
  ])("cuts what must not be logged out of %j", (text, expected) => {
    expect(scrub(text)).toBe(expected);
  });

  it.each([
    "listening on 127.0.0.1:8080",
    "two projects are busy",
    "connect ECONNREFUSED http://127.0.0.1:1",
  ])("leaves %j as it is", (text) => {
    expect(scrub(text)).toBe(text);
  });

  it("takes no time over a long text of beginnings of web tokens", () => {
    const text = "eyJ-".repeat(128 * 1024);
    expect(cpuMs(() => scrub(text))).toBeLessThan(1_000);
  });
});
