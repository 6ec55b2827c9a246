import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HpackDecoder } from "../../../src/listen/http2/hpack-decoder.ts";
import { encodeHeaders, encodeTableSizeUpdate } from "../../../src/listen/http2/hpack-encoder.ts";
import type { ResponseHeaders } from "../../../src/listen/transport.ts";

const LIMITS = { headerListBytes: 10_000_000, headerFields: 10_000 };

const latin1 = (constraints: fc.StringConstraints) =>
  fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    ...constraints,
  });
const name = fc.oneof(
  fc.constantFrom("content-type", "content-length", "grpc-status", "retry-after", "www-authenticate", "vary"),
  fc.string({
    unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz-_.0123456789"),
    minLength: 1,
    maxLength: 200,
  }),
);
const headers: fc.Arbitrary<ResponseHeaders> = fc.dictionary(
  name,
  fc.oneof(latin1({ maxLength: 300 }), fc.array(latin1({ maxLength: 50 }), { maxLength: 4 })),
);

/** The fields that a header block of an answer has to have, in their order. */
function fieldsOf(headers: ResponseHeaders, status?: number): string[] {
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => [name, one]),
  );
  return status === undefined ? fields : [":status", String(status), ...fields];
}

describe("an encoded header block", () => {
  it("says what was encoded, to a decoder of any past", () => {
    const decoder = new HpackDecoder();
    fc.assert(
      fc.property(
        headers,
        fc.option(fc.integer({ min: 200, max: 599 }), { nil: undefined }),
        (headers, status) => {
          expect(decoder.decode(encodeHeaders(headers, status), LIMITS)).toEqual(fieldsOf(headers, status));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("is the same whatever was encoded before, and stays it", () => {
    const headers = { "content-type": "application/grpc", "x-long": "y".repeat(100) };
    const block = encodeHeaders(headers, 200);
    const copy = Buffer.from(block);
    encodeHeaders({ "x-other": "z".repeat(50_000) }, 404);
    expect(encodeHeaders(headers, 200)).toEqual(copy);
    expect(block).toEqual(copy);
  });

  it("is one buffer for trailers that are one object, and never for others", () => {
    const trailers = { "grpc-status": "0" };
    expect(encodeHeaders(trailers)).toBe(encodeHeaders(trailers));
    expect(encodeHeaders({ "grpc-status": "5" })).not.toEqual(encodeHeaders(trailers));
    expect(encodeHeaders(trailers, 200)).not.toEqual(encodeHeaders(trailers));
  });

  it("is as short as it gets without a dynamic table and Huffman codes", () => {
    expect(encodeHeaders({}, 200).toString("hex")).toBe("88");
    expect(encodeHeaders({}, 503).toString("latin1")).toBe("\x08\x03503");
    expect(encodeHeaders({ "content-type": "a/b" }, 200).toString("latin1")).toBe("\x88\x0f\x10\x03a/b");
    expect(encodeHeaders({ "grpc-status": "0" }).toString("latin1")).toBe("\x00\x0bgrpc-status\x010");
  });

  it("has room for values of any length", () => {
    for (const length of [126, 127, 128, 254, 255, 4_096, 1_000_000]) {
      const headers = { "x-long": "v".repeat(length), "x-next": "w" };
      expect(new HpackDecoder().decode(encodeHeaders(headers), LIMITS)).toEqual(fieldsOf(headers));
    }
  });

  it("may begin with the size of a table that is not used", () => {
    const block = Buffer.concat([encodeTableSizeUpdate(0), encodeHeaders({}, 204)]);
    expect(new HpackDecoder().decode(block, LIMITS)).toEqual([":status", "204"]);
  });
});
