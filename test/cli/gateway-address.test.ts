import { expect, test } from "vitest";
import { parseGatewayAddress } from "../../src/cli/gateway-address.ts";

const http = { socketPath: undefined, tls: false };

test.each([
  [
    "127.0.0.1:8080",
    { ...http, text: "http://127.0.0.1:8080", origin: "http://127.0.0.1:8080", local: true },
  ],
  ["[::1]:8080", { ...http, text: "http://[::1]:8080", origin: "http://[::1]:8080", local: true }],
  ["localhost:1", { ...http, text: "http://localhost:1", origin: "http://localhost:1", local: true }],
  ["gateway:80", { ...http, text: "http://gateway", origin: "http://gateway", local: false }],
  ["HTTP://Gateway", { ...http, text: "http://gateway", origin: "http://gateway", local: false }],
  [
    "https://gateway/",
    { ...http, tls: true, text: "https://gateway", origin: "https://gateway", local: false },
  ],
  [
    "unix:/run/lro.sock",
    {
      text: "unix:/run/lro.sock",
      origin: "http://localhost",
      socketPath: "/run/lro.sock",
      tls: false,
      local: true,
    },
  ],
])("%s is where a gateway is called", (address, expected) => {
  expect(parseGatewayAddress(address)).toEqual(expected);
});

test.each([
  "",
  "gateway",
  "ftp://x",
  "http://x/path",
  "http://me:pw@x",
  "http://:pw@x",
  "http://x/?q",
  "unix:",
  "http://",
])("%j is not", (address) => {
  expect(parseGatewayAddress(address)).toBeUndefined();
});
