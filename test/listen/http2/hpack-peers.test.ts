import { type OutgoingHttpHeaders, sensitiveHeaders } from "node:http2";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { HpackDecoder } from "../../../src/listen/http2/hpack-decoder.ts";
import { encodeHeaders, encodeTableSizeUpdate } from "../../../src/listen/http2/hpack-encoder.ts";
import { HpackError } from "../../../src/listen/http2/hpack-error.ts";
import { STATIC_TABLE } from "../../../src/listen/http2/hpack-static-table.ts";
import { indexed, intoTable, neverIntoTable, notIntoTable, sizeUpdate } from "../../support/hpack-writer.ts";
import { NodeHpack } from "../../support/node-hpack.ts";

const LIMITS = { headerListBytes: 1_000_000, headerFields: 1_000 };

/** What Node lets through: visible ASCII, spaces and tabs within, bytes above ASCII. */
const value = fc
  .string({
    unit: fc
      .oneof(
        { weight: 9, arbitrary: fc.integer({ min: 0x21, max: 0x7e }) },
        { weight: 1, arbitrary: fc.constantFrom(0x09, 0x20) },
        { weight: 1, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
      )
      .map((code) => String.fromCharCode(code)),
    maxLength: 400,
  })
  .map((text) => text.replace(/^[\t ]+|[\t ]+$/g, ""));

/** Few names and few values, so that many of them stand in a table; and long ones, so that there are evictions. */
const field = fc.tuple(
  fc.oneof(
    fc.constantFrom("x-a", "x-b", "x-c", "grpc-timeout", "user-agent", "te-x"),
    fc
      .string({ unit: fc.constantFrom(..."abcdefghij-"), minLength: 1, maxLength: 40 })
      .map((name) => `x-${name}`),
  ),
  fc.oneof(fc.constantFrom("", "1", "application/grpc", "v".repeat(1_500)), value),
  fc.boolean(),
);
const block = fc.array(field, { maxLength: 20 });

const opened: NodeHpack[] = [];
function node(options?: ConstructorParameters<typeof NodeHpack>[0]): NodeHpack {
  const peer = new NodeHpack(options);
  opened.push(peer);
  return peer;
}
afterEach(() => {
  for (const peer of opened.splice(0)) peer.close();
});

describe("the header blocks of Node's HTTP/2 client", () => {
  it("are decoded, in tables of any size that we announce", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(4_096, 8_192, 65_536),
        fc.array(fc.tuple(block, fc.option(fc.constantFrom(0, 64, 500, 4_096, 8_192, 65_536))), {
          maxLength: 12,
        }),
        async (largest, blocks) => {
          const peer = node({ maxDeflateDynamicTableSize: 65_536 });
          const decoder = new HpackDecoder(largest);
          for (const [fields, table] of blocks) {
            if (table !== null && table <= largest) await peer.announceTable(table);
            const headers: OutgoingHttpHeaders = { ":path": "/service/Method" };
            for (const [name, value] of fields) headers[name] = value;
            const secret = fields.filter(([, , secret]) => secret).map(([name]) => name);
            const list = decoder.decode(
              await peer.encode({ ...headers, [sensitiveHeaders]: secret }),
              LIMITS,
            );
            expect(list.slice(0, 8)).toEqual([
              ":path",
              "/service/Method",
              ":method",
              "GET",
              ":authority",
              "localhost:80",
              ":scheme",
              "http",
            ]);
            expect(list.slice(8)).toEqual(Object.entries(headers).slice(1).flat());
          }
          peer.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("repeat themselves byte by byte, and so give the same list", async () => {
    const peer = node();
    const decoder = new HpackDecoder();
    const call = {
      ":method": "POST",
      ":path": "/service/Method",
      "content-type": "application/grpc",
      te: "trailers",
    };
    const lists: unknown[] = [];
    for (let calls = 0; calls < 3; calls++) lists.push(decoder.decode(await peer.encode(call), LIMITS));
    expect(lists[1]).toEqual(lists[0]);
    expect(lists[2]).toBe(lists[1]);
  });
});

describe("Node's HTTP/2 client", () => {
  /** Names that HTTP/2 forbids in an answer, or that stand for requests. */
  const others = new Set(["transfer-encoding", "host"]);

  it("reads what we encode", async () => {
    const peer = node();
    await fc.assert(
      fc.asyncProperty(block, fc.integer({ min: 200, max: 599 }), async (fields, status) => {
        const headers = Object.fromEntries(fields.map(([name, value]) => [name, value]));
        const read = await peer.decode(encodeHeaders(headers, status));
        expect(read).toEqual([":status", String(status), ...Object.entries(headers).flat()]);
      }),
      { numRuns: 200 },
    );
  });

  it("knows the names of our static table by the same index", async () => {
    const peer = node();
    const names = [...new Set(STATIC_TABLE.map(([name]) => name))].filter(
      (name) => !name.startsWith(":") && !others.has(name),
    );
    const headers = Object.fromEntries(names.map((name) => [name, "0"]));
    const encoded = encodeHeaders(headers, 200);
    expect(encoded.length).toBeLessThan(5 * names.length);
    expect(await peer.decode(encoded)).toEqual([":status", "200", ...Object.entries(headers).flat()]);
  });

  it("reads a value that is a list as one field each", async () => {
    const read = await node().decode(encodeHeaders({ "x-list": ["a", "b"], "x-none": [] }, 200));
    expect(read).toEqual([":status", "200", "x-list", "a", "x-list", "b"]);
  });

  it("accepts our blocks after it has lowered its table, when the next one says so", async () => {
    const peer = node();
    await peer.decode(encodeHeaders({}, 200));
    await peer.ownTable(0);
    const block = Buffer.concat([encodeTableSizeUpdate(0), encodeHeaders({ "x-a": "b" }, 200)]);
    expect(await peer.decode(block)).toEqual([":status", "200", "x-a", "b"]);
    expect(await peer.decode(encodeHeaders({ "x-a": "b" }, 200))).toEqual([":status", "200", "x-a", "b"]);
  });
});

describe("what is no HPACK", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abc0"), maxLength: 6 });
  const name = fc.oneof(word, fc.integer({ min: 0, max: 66 }));
  const piece = fc.oneof(
    fc.integer({ min: 1, max: 61 }).map(indexed),
    fc.integer({ min: 0, max: 66 }).map(indexed),
    fc.tuple(name, word).map(([name, value]) => intoTable(name, value)),
    fc.tuple(name, word).map(([name, value]) => notIntoTable(name, value)),
    fc.tuple(name, word).map(([name, value]) => neverIntoTable(name, value)),
    // A string in Huffman codes, right or wrong.
    fc
      .uint8Array({ minLength: 1, maxLength: 4 })
      .map((codes) => Buffer.concat([Buffer.from([0, 1, 0x61, 0x80 | codes.length]), codes])),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
  );
  const block = fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 4_200 }).map(sizeUpdate), { maxLength: 2 }),
      fc.array(piece, { maxLength: 6 }),
    )
    .map((parts) => Buffer.concat(parts.flat()));

  it("is the same to us and to nghttp2", async () => {
    await fc.assert(
      fc.asyncProperty(block, fc.option(fc.nat()), async (block, cut) => {
        const bytes = cut === null ? block : block.subarray(0, cut % (block.length + 1));
        let ours = true;
        try {
          new HpackDecoder().decode(bytes, LIMITS);
        } catch (error) {
          if (!(error instanceof HpackError)) throw error;
          ours = false;
        }
        const peer = new NodeHpack();
        const theirs = await peer.accepts(bytes);
        peer.close();
        expect(ours).toBe(theirs);
      }),
      { numRuns: 500 },
    );
  });
});
