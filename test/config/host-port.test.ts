import { describe, expect, it } from "vitest";
import { formatHostPort, isLoopback, parseHostPort } from "../../src/config/host-port.ts";

describe("parseHostPort()", () => {
  it.each([
    ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["[::1]:65535", { host: "::1", port: 65535 }],
    ["my-host.example:443", { host: "my-host.example", port: 443 }],
  ])("reads %s and writes it back", (text, expected) => {
    expect(parseHostPort(text)).toEqual(expected);
    expect(formatHostPort(expected)).toBe(text);
  });

  it.each([
    "",
    "8080",
    ":8080",
    "h:",
    "h:-1",
    "h:65536",
    "::1:80",
    "[127.0.0.1]:80",
    "[::1]",
    "a b:80",
    "h:80\n",
  ])("refuses %j", (text) => {
    expect(parseHostPort(text)).toBeUndefined();
  });
});

describe("isLoopback()", () => {
  it.each(["127.0.0.1", "127.1.2.3", "::1", "0::1", "LOCALHOST", "::ffff:127.0.0.1"])("takes %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });
  it.each(["0.0.0.0", "::", "128.0.0.1", "1", "127.1", "localhost.example", "::2", "::ffff:8.8.8.8"])(
    "does not take %s",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
