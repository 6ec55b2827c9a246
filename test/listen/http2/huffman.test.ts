import { describe, expect, it } from "vitest";
import { HpackError } from "../../../src/listen/http2/hpack-error.ts";
import { decodeHuffman, huffmanRoom } from "../../../src/listen/http2/huffman.ts";

/** The bytes 0 to 255, as the encoder of golang.org/x/net/http2/hpack writes them. */
const ALL_BYTES =
  "ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffeb" +
  "fffffecfffffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3f" +
  "ffffe7fffffebfffffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58" +
  "f265cd9f469d5af66dddbf871e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7f" +
  "fbffdffffffcfffe6ffff4bfff9ffffa3fffd3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffb" +
  "fffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdaff" +
  "feeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe0fff" +
  "f17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1fffff83ffffe1fffebfffe3ffff3fff" +
  "ff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6fffffc1fffff87fff" +
  "fe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ff" +
  "ffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fff" +
  "ffd3fffffabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf";

function decode(hex: string): string {
  const coded = Buffer.from(hex, "hex");
  const into = Buffer.alloc(huffmanRoom(coded.length));
  return into.toString("latin1", 0, decodeHuffman(coded, 0, coded.length, into));
}

describe("Huffman codes", () => {
  it("decode to every byte there is", () => {
    expect([...Buffer.from(decode(ALL_BYTES), "latin1")]).toEqual(Array.from({ length: 256 }, (_, at) => at));
  });

  it("decode to the examples of the specification", () => {
    expect(decode("f1e3c2e5f23a6ba0ab90f4ff")).toBe("www.example.com");
    expect(decode("a8eb10649cbf")).toBe("no-cache");
    expect(decode("")).toBe("");
  });

  it("fill the room that is said to be enough, with the shortest codes", () => {
    expect(decode("00".repeat(5))).toBe("0".repeat(8));
    expect(huffmanRoom(5)).toBe(8);
  });

  it.each([
    ["padding of eight ones", "07ff"],
    ["a byte of nothing but padding", "ff"],
    ["padding that is not all ones", "00"],
    ["padding that ends with a zero", "fe"],
    ["EOS", "ffffffff"],
    ["EOS behind text", "07ffffffff"],
    ["EOS before text", "fffffffc00"],
  ])("are refused with %s", (_what, hex) => {
    expect(() => decode(hex)).toThrow(HpackError);
  });
});
