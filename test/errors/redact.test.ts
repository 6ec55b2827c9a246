import { expect, test } from "vitest";
import { redact } from "../../src/errors/redact.ts";
import { cpuMs } from "../support/cpu-time.ts";

test.for([
  ["token ya29.a0AfH6SMBx-_~/+x== refused", "token [credential removed] refused"],
  ["Bearer abcdefghijklmnop.qrstu", "Bearer [credential removed]"],
  ["authorization: bearer\\t0123456789abcdef=", "authorization: bearer\\t[credential removed]"],
  ["key=AIzaSyA-0123456789012345678901234567", "key=[credential removed]"],
  ["eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln x", "[credential removed] x"],
  ["eyJhbGciOiJSU0Ef.key-of-five.parts.text.tag. Gone", "[credential removed]. Gone"],
  ["-eyJ-eyJ.short.eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.s", "-eyJ-eyJ.short.[credential removed]"],
  ['{"t":"ya29.a\\/b\\/c","u":1}', '{"t":"[credential removed]","u":1}'],
  // Words that only begin like one.
  ['Bearer realm="https://accounts.google.com/"', 'Bearer realm="https://accounts.google.com/"'],
  ["Bearer token missing", "Bearer token missing"],
  ["projects/eyJ/locations/ya29", "projects/eyJ/locations/ya29"],
] as const)("makes %j %j", ([text, expected]) => {
  expect(redact(text)).toBe(expected);
});

test.for([
  ["names of web tokens", "eyJ-"],
  ["blanks", " "],
  ["Bearer and blanks", "Bearer        "],
  ["escaped slashes", "\\/"],
  ["beginnings of access tokens", "ya29. "],
  ["dots", "eyJaaaaaa.aaaaaaa"],
] as const)("takes no time over 64 KiB of %s", ([, piece]) => {
  const text = piece.repeat((64 * 1024) / piece.length);
  expect(cpuMs(() => redact(text))).toBeLessThan(1000);
});

test("takes as much time for each of 2 MiB as for the first: web tokens without their end, in front of long words", () => {
  const piece = `${"eyJ-".repeat(256)}aaaaa.${"eyJ-".repeat(2048)}`;
  const text = piece.repeat((2 * 1024 * 1024) / piece.length);
  expect(cpuMs(() => redact(text))).toBeLessThan(1000);
});
