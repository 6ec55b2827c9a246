import fc from "fast-check";
import { expect, it } from "vitest";
import { HeadMemory } from "../../../src/listen/http1/head-memory.ts";
import { readRequestHead } from "../../../src/listen/http1/request-head.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../../src/listen/limits.ts";

const head = (length: number, id: string) =>
  `POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\nX-Id: ${id}\r\n\r\n`;

it("HeadMemory makes no difference, whatever heads follow each other", () => {
  const texts = fc.oneof(
    fc
      .tuple(fc.integer({ min: 0, max: 11 }), fc.constantFrom("a", "b", "x".repeat(3_000)))
      .map(([n, id]) => head(n, id)),
    fc.constantFrom(
      "GET /",
      "GET / HTTP/1.1\r\n\r\n",
      `${head(1, "a").slice(0, -2)}`,
      `${head(1, "a")}${head(2, "b")}`,
    ),
  );
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 30 }), (sequence) => {
      const memory = new HeadMemory(DEFAULT_LISTENER_LIMITS);
      for (const text of sequence) {
        const bytes = Buffer.from(`..${text}`);
        const expected = readRequestHead(bytes, 2, bytes.length, DEFAULT_LISTENER_LIMITS);
        expect(memory.read(bytes, 2, bytes.length)).toEqual(expected);
        // What is remembered is no view of a buffer that others write to.
        bytes.fill(0);
      }
    }),
  );
});

it("HeadMemory gives the same record for the same bytes, until a caller has shown that it has no use for that", () => {
  const memory = new HeadMemory(DEFAULT_LISTENER_LIMITS);
  const read = (text: string) => memory.read(Buffer.from(text), 0, text.length);
  expect(read(head(1, "a"))).toBe(read(head(1, "a")));
  for (let i = 0; i < 8; i++) read(head(1, `id-${i}`));
  expect(read(head(1, "a"))).not.toBe(read(head(1, "a")));
});
