import { expect, it } from "vitest";
import { isStablePath } from "../../src/transcode/stable-path.ts";

it.each(["/", "/v1/a/b:cancel", "/v1/donn%C3%A9es/%3A%2F", "/v1/...", "/v1/%252e%252e/x"])(
  "takes %s",
  (path) => {
    expect(isStablePath(path)).toBe(true);
  },
);

it.each([
  "",
  "v1/a",
  "/v1/../a",
  "/v1/%2e%2e/a",
  "/v1/.%2E/a",
  "/v1/./a",
  "/v1/a/..",
  "/v1/a\\b",
  "/v1/a\tb",
  "/v1/a\n",
  "/v1/a ",
  "/v1/é",
  "/v1/a?b",
  "/v1/a#b",
  "//evil.com/x",
  "/\\evil/x",
  "http://evil.com/v1/a",
])("refuses %j", (path) => {
  expect(isStablePath(path)).toBe(false);
});
