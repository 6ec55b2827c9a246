import { describe, expect, it } from "vitest";
import { HpackDecoder } from "../../../src/listen/http2/hpack-decoder.ts";
import { encodeTableSizeUpdate } from "../../../src/listen/http2/hpack-encoder.ts";
import { HpackError } from "../../../src/listen/http2/hpack-error.ts";
import { indexed } from "../../support/hpack-writer.ts";

/** A header block in hexadecimal, the list it stands for, and the dynamic table behind it, newest entry first. */
type Step = readonly [hex: string, list: string, table: readonly string[]];

const LIMITS = { headerListBytes: 16_384, headerFields: 100 };

const REQUESTS: Record<string, readonly [Step, Step, Step]> = {
  "C.3": [
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      ":method: GET, :scheme: http, :path: /, :authority: www.example.com",
      [":authority: www.example.com"],
    ],
    [
      "8286 84be 5808 6e6f 2d63 6163 6865",
      ":method: GET, :scheme: http, :path: /, :authority: www.example.com, cache-control: no-cache",
      ["cache-control: no-cache", ":authority: www.example.com"],
    ],
    [
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ":method: GET, :scheme: https, :path: /index.html, :authority: www.example.com, custom-key: custom-value",
      ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"],
    ],
  ],
};
REQUESTS["C.4, with Huffman codes"] = [
  withBlock("C.3", 0, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"),
  withBlock("C.3", 1, "8286 84be 5886 a8eb 1064 9cbf"),
  withBlock("C.3", 2, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"),
];

const DATE = "date: Mon, 21 Oct 2013 20:13:21 GMT";
const DATE_2 = "date: Mon, 21 Oct 2013 20:13:22 GMT";
const LOCATION = "location: https://www.example.com";
const PRIVATE = "cache-control: private";
const COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

REQUESTS["C.5, with evictions"] = [
  [
    `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
     474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
    [":status: 302", PRIVATE, DATE, LOCATION].join(", "),
    [LOCATION, DATE, PRIVATE, ":status: 302"],
  ],
  [
    "4803 3330 37c1 c0bf",
    [":status: 307", PRIVATE, DATE, LOCATION].join(", "),
    [":status: 307", LOCATION, DATE, PRIVATE],
  ],
  [
    `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738
     666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33
     3630 303b 2076 6572 7369 6f6e 3d31`,
    [":status: 200", PRIVATE, DATE_2, LOCATION, "content-encoding: gzip", COOKIE].join(", "),
    [COOKIE, "content-encoding: gzip", DATE_2],
  ],
];
REQUESTS["C.6, with evictions and Huffman codes"] = [
  withBlock(
    "C.5, with evictions",
    0,
    `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
     63c7 8f0b 97c8 e9ae 82ae 43d3`,
  ),
  withBlock("C.5, with evictions", 1, "4883 640e ffc1 c0bf"),
  withBlock(
    "C.5, with evictions",
    2,
    `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7
     b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
  ),
];

describe("the examples of RFC 7541, appendix C", () => {
  it.each([
    [10, "2a"],
    [1_337, "3f9a0a"],
  ])("C.1: %s as an integer of a five-bit prefix", (value, hex) => {
    expect(encodeTableSizeUpdate(value).toString("hex")).toBe(hex);
  });

  it.each([
    [
      "C.2.1",
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      "custom-key: custom-header",
      1,
    ],
    ["C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", 0],
    ["C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", 0],
    ["C.2.4", "82", ":method: GET", 0],
  ])("%s", (_example, hex, field, entries) => {
    const decoder = new HpackDecoder();
    expect(read(decoder, bytes(hex))).toBe(field);
    expect(tableOf(decoder)).toEqual(entries ? [field] : []);
  });

  it.each(Object.entries(REQUESTS))("%s", (example, steps) => {
    const decoder = new HpackDecoder();
    // The examples of answers use a table of 256 bytes.
    let update = /C\.[56]/.test(example) ? encodeTableSizeUpdate(256) : Buffer.alloc(0);
    for (const [hex, list, table] of steps) {
      expect(read(decoder, Buffer.concat([update, bytes(hex)]))).toBe(list);
      expect(tableOf(decoder)).toEqual(table);
      update = Buffer.alloc(0);
    }
  });
});

function withBlock(example: string, step: number, hex: string): Step {
  const [, list, table] = (REQUESTS[example] as readonly Step[])[step] as Step;
  return [hex, list, table];
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
}

function read(decoder: HpackDecoder, block: Buffer): string {
  const list = decoder.decode(block, LIMITS);
  if (list === "too large") return list;
  return list.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${list[at + 1]}`] : [])).join(", ");
}

/** The dynamic table, read by its indices until there is no further one. */
function tableOf(decoder: HpackDecoder): string[] {
  const entries: string[] = [];
  for (let index = 62; ; index++) {
    try {
      entries.push(read(decoder, indexed(index)));
    } catch (error) {
      if (error instanceof HpackError) return entries;
      throw error;
    }
  }
}
