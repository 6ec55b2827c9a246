import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HpackDecoder } from "../../../src/listen/http2/hpack-decoder.ts";
import { HpackError } from "../../../src/listen/http2/hpack-error.ts";
import { cpuMs } from "../../support/cpu-time.ts";
import {
  indexed,
  integer,
  intoTable,
  neverIntoTable,
  notIntoTable,
  sizeUpdate,
  text,
} from "../../support/hpack-writer.ts";

const LIMITS = { headerListBytes: 16_384, headerFields: 100 };

/** Decodes blocks one after the other with one decoder, and gives what the last one is. */
function decode(...blocks: Buffer[]): readonly string[] | "too large" {
  const decoder = new HpackDecoder();
  return blocks.map((block) => decoder.decode(block, LIMITS)).at(-1) as readonly string[];
}

describe("a header block is malformed when it", () => {
  const long = "x".repeat(4_050);
  it.each<[string, Buffer[]]>([
    ["refers to index 0", [indexed(0)]],
    ["refers behind the static table, while the dynamic one is empty", [indexed(62)]],
    ["refers behind the dynamic table", [intoTable("a", "b"), indexed(63)]],
    ["takes a name from behind the table", [notIntoTable(62, "b")]],
    ["takes a name from behind the table to put it there", [intoTable(62, "b")]],
    ["refers to an entry that was evicted", [intoTable("a", "b"), intoTable("c", long), indexed(63)]],
    [
      "refers to an entry that was dropped by a size update",
      [intoTable("a", "b"), Buffer.concat([sizeUpdate(0), indexed(62)])],
    ],
    ["has an index that goes on for ever", [Buffer.from([0xff, ...Array(20).fill(0x80), 0x01])]],
    ["has an index above 2^28", [Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])]],
    ["has a length above 2^28", [Buffer.from([0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f])]],
    ["ends within an integer", [Buffer.from([0xff])]],
    ["ends within a longer integer", [Buffer.from([0xff, 0x80])]],
    ["ends before a name", [Buffer.from([0x40])]],
    ["ends before a value", [Buffer.from([0x41])]],
    ["ends within a string", [notIntoTable("name", "value").subarray(0, -1)]],
    ["ends within a Huffman string", [Buffer.from([0x01, 0x8c, 0xf1, 0xe3])]],
    ["has EOS in a string", [Buffer.from([0x01, 0x84, 0xff, 0xff, 0xff, 0xff])]],
    ["asks for a larger table than was announced", [sizeUpdate(4_097)]],
    ["changes the table's size behind a field", [Buffer.concat([indexed(2), sizeUpdate(100)])]],
  ])("%s", (_what, blocks) => {
    expect(() => decode(...blocks)).toThrow(HpackError);
  });
});

describe("a header block", () => {
  it("may be empty", () => {
    expect(decode(Buffer.alloc(0))).toEqual([]);
  });

  it("keeps out of the table what must not enter it", () => {
    expect(() => decode(notIntoTable("a", "b"), indexed(62))).toThrow(HpackError);
    expect(() => decode(neverIntoTable("a", "b"), indexed(62))).toThrow(HpackError);
    expect(decode(neverIntoTable("a", "b"))).toEqual(["a", "b"]);
  });

  it("has bytes, each of which is one character", () => {
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, at) => at));
    expect(decode(notIntoTable("bytes", every))).toEqual(["bytes", every]);
  });

  it("may change the size of the table several times before its first field", () => {
    const block = Buffer.concat([sizeUpdate(0), sizeUpdate(100), intoTable("a", "b")]);
    expect(decode(intoTable("old", "entry"), block, indexed(62))).toEqual(["a", "b"]);
    expect(() => decode(intoTable("old", "entry"), block, indexed(63))).toThrow(HpackError);
  });

  it("empties the table with an entry that is larger than all of it", () => {
    const large = intoTable("large", "x".repeat(5_000));
    expect(decode(intoTable("a", "b"), large)).toEqual(["large", "x".repeat(5_000)]);
    expect(() => decode(intoTable("a", "b"), large, indexed(62))).toThrow(HpackError);
  });

  it("takes the name of an entry that its own literal evicts", () => {
    const first = intoTable("x".repeat(2_000), "");
    expect(decode(first, intoTable(62, "y".repeat(2_000)), indexed(62))).toEqual([
      "x".repeat(2_000),
      "y".repeat(2_000),
    ]);
  });

  it("may use a larger table once it was announced and the peer says so", () => {
    const decoder = new HpackDecoder(65_536);
    const entries = Array.from({ length: 1_000 }, (_, at) => intoTable(`name-${at}`, "v"));
    const limits = { headerListBytes: 100_000, headerFields: 2_000 };
    decoder.decode(Buffer.concat([sizeUpdate(65_536), ...entries]), limits);
    expect(decoder.decode(indexed(62 + 999), limits)).toEqual(["name-0", "v"]);
    expect(decoder.decode(sizeUpdate(41), limits)).toEqual([]);
    expect(decoder.decode(indexed(62), limits)).toEqual(["name-999", "v"]);
  });
});

describe("a header list over the limit", () => {
  const bytes = (limit: number) => ({ headerListBytes: limit, headerFields: 100 });

  it.each([
    [
      "counts names, values and 32 bytes for each field",
      Buffer.concat([notIntoTable("ab", "cde"), indexed(2)]),
      37 + 42,
    ],
    ["counts a literal that enters the table", intoTable("ab", "cde"), 37],
  ])("%s", (_what, block, size) => {
    expect(new HpackDecoder().decode(block, bytes(size))).not.toBe("too large");
    expect(new HpackDecoder().decode(block, bytes(size - 1))).toBe("too large");
  });

  it("may be one of too many fields", () => {
    const block = Buffer.alloc(101, indexed(2));
    expect(decode(block.subarray(1))).toHaveLength(200);
    expect(decode(block)).toBe("too large");
  });

  it("is decoded to its end, so that the table stays in step", () => {
    const block = Buffer.concat([notIntoTable("x", "y".repeat(20_000)), intoTable("a", "b")]);
    expect(decode(block)).toBe("too large");
    expect(decode(block, indexed(62))).toEqual(["a", "b"]);
    expect(() => decode(Buffer.concat([block, indexed(0)]))).toThrow(HpackError);
  });

  it("costs no more than its bytes, however much they stand for", () => {
    const decoder = new HpackDecoder();
    decoder.decode(intoTable("bomb", "x".repeat(4_000)), LIMITS);
    // 400 KB that say 1.6 GB.
    const block = Buffer.alloc(400_000, indexed(62));
    const heap = process.memoryUsage().heapUsed;
    const took = cpuMs(() => expect(decoder.decode(block, LIMITS)).toBe("too large"));
    expect(took).toBeLessThan(1_000);
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(8_000_000);
  });
});

describe("a block of the same bytes as the one before", () => {
  const fill = Buffer.concat([indexed(3), intoTable("a", "b"), intoTable("c", "d")]);
  const again = Buffer.concat([indexed(3), indexed(63), indexed(62), notIntoTable("grpc-timeout", "1S")]);

  it("gives the very same list", () => {
    const decoder = new HpackDecoder();
    decoder.decode(fill, LIMITS);
    const list = decoder.decode(again, LIMITS);
    expect(list).toEqual([":method", "POST", "a", "b", "c", "d", "grpc-timeout", "1S"]);
    expect(decoder.decode(Buffer.from(again), LIMITS)).toBe(list);
  });

  it("is decoded anew when the table has changed between them, by an entry or by its size", () => {
    for (const change of [
      intoTable("e", "f"),
      Buffer.concat([sizeUpdate(100), intoTable("c", "d"), intoTable("e", "f")]),
    ]) {
      const decoder = new HpackDecoder();
      decoder.decode(fill, LIMITS);
      decoder.decode(again, LIMITS);
      decoder.decode(change, LIMITS);
      const list = decoder.decode(again, LIMITS);
      expect(list).toEqual([":method", "POST", "c", "d", "e", "f", "grpc-timeout", "1S"]);
    }
  });

  it("is decoded anew when it changes the table itself", () => {
    const decoder = new HpackDecoder();
    const block = intoTable("a", "b");
    expect(decoder.decode(block, LIMITS)).not.toBe(decoder.decode(block, LIMITS));
    expect(decoder.decode(indexed(63), LIMITS)).toEqual(["a", "b"]);
  });

  it("does not depend on the buffer that held the first one", () => {
    const decoder = new HpackDecoder();
    const shared = Buffer.from(again.subarray(3));
    const list = decoder.decode(shared, LIMITS);
    shared.fill(indexed(2));
    expect(decoder.decode(Buffer.from(again.subarray(3)), LIMITS)).toBe(list);
    expect(decoder.decode(shared, LIMITS)).not.toBe(list);
  });
});

describe("whatever bytes come", () => {
  const piece = fc.oneof(
    fc.integer({ min: 0, max: 130 }).map(indexed),
    fc.tuple(fc.string(), fc.string()).map(([name, value]) => intoTable(name, value)),
    fc.tuple(fc.integer({ min: 0, max: 70 }), fc.string()).map(([name, value]) => intoTable(name, value)),
    fc.tuple(fc.string(), fc.string()).map(([name, value]) => neverIntoTable(name, value)),
    fc.integer({ min: 0, max: 5_000 }).map(sizeUpdate),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc
      .uint8Array({ maxLength: 20 })
      .map((bytes) =>
        Buffer.concat([Buffer.from([0]), text("huffman"), integer(0x80, 7, bytes.length), bytes]),
      ),
  );

  it("they are a list or an HpackError, and soon", () => {
    const blocks = fc.array(
      fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.concat(pieces)),
      { maxLength: 4 },
    );
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 });
    fc.assert(
      fc.property(blocks, flips, (blocks, flips) => {
        for (const [at, byte] of flips) {
          const block = blocks[at % Math.max(blocks.length, 1)];
          if (block?.length) block[at % block.length] = byte;
        }
        const decoder = new HpackDecoder();
        const took = cpuMs(() => {
          try {
            for (const block of blocks) {
              const list = decoder.decode(block, LIMITS);
              if (list !== "too large") expect(list.every((one) => typeof one === "string")).toBe(true);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(HpackError);
          }
        });
        expect(took).toBeLessThan(1_000);
      }),
      { numRuns: 5_000 },
    );
  });
});
