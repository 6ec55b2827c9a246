import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAME_PAYLOAD_BYTES, PREFACE } from "../../../src/listen/http2/frame.ts";
import { FrameReader } from "../../../src/listen/http2/frame-reader.ts";
import { frame } from "../../support/raw-h2.ts";

/** Frames as a reader hands them on, for chunks that come one after the other. */
function read(chunks: readonly Buffer[]): string[] {
  const events: string[] = [];
  const reader = new FrameReader({
    frame(type, flags, stream, bytes, start, end) {
      events.push(`${type} ${flags} ${stream} ${bytes.toString("hex", start, end)}`);
    },
  });
  for (const chunk of chunks) reader.read(Buffer.from(chunk));
  return events;
}

function cut(bytes: Buffer, ...places: number[]): Buffer[] {
  const borders = [
    0,
    ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ];
  return borders.slice(1).map((border, at) => bytes.subarray(borders[at], border));
}

const anyFrame = fc.record({
  type: fc.nat(12),
  flags: fc.nat(255),
  stream: fc.nat(2 ** 31 - 1),
  payload: fc.uint8Array({ maxLength: 300 }),
});

describe("FrameReader", () => {
  const some = [
    frame(4, 0, 0),
    frame(1, 5, 1, Buffer.from("header block")),
    frame(0, 0, 1, Buffer.alloc(70, "d")),
    frame(8, 0, 2 ** 31 - 1, Buffer.from([0, 0, 0, 1])),
    frame(0, 1, 1),
  ];
  const expected = some.map(
    (bytes) => `${bytes[3]} ${bytes[4]} ${bytes.readUInt32BE(5)} ${bytes.subarray(9).toString("hex")}`,
  );

  it("hands on the same frames wherever a connection is cut in two", () => {
    const bytes = Buffer.concat([PREFACE, ...some]);
    for (let place = 0; place <= bytes.length; place++) expect(read(cut(bytes, place))).toEqual(expected);
  });

  it("hands on the same frames when every byte comes alone", () => {
    const bytes = Buffer.concat([PREFACE, ...some]);
    expect(read(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(expected);
  });

  it("hands on any frames, cut in any way", () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (frames, places) => {
          const bytes = frames.map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload));
          const events = frames.map(
            ({ type, flags, stream, payload }) =>
              `${type} ${flags} ${stream} ${Buffer.from(payload).toString("hex")}`,
          );
          expect(read(cut(Buffer.concat([PREFACE, ...bytes]), ...places))).toEqual(events);
        },
      ),
    );
  });

  it("lets its sink keep what it was given", () => {
    const kept: [Buffer, number, number][] = [];
    const reader = new FrameReader({
      frame: (_type, _flags, _stream, bytes, start, end) => kept.push([bytes, start, end]),
    });
    const bytes = Buffer.concat([PREFACE, ...some, ...some]);
    for (const chunk of cut(bytes, 30, 40, 100, 150, 170)) reader.read(Buffer.from(chunk));
    expect(kept.map(([from, start, end]) => from.toString("hex", start, end))).toEqual(
      [...some, ...some].map((one) => one.toString("hex", 9)),
    );
  });

  it("ignores the reserved bit of a stream id", () => {
    const reserved = frame(6, 0, 0, Buffer.alloc(8));
    reserved[5] = 0x80;
    expect(read([PREFACE, reserved])).toEqual(["6 0 0 0000000000000000"]);
  });

  it("takes a frame of 16 KiB, and refuses a larger one by its header alone", () => {
    const largest = frame(0, 0, 1, Buffer.alloc(FRAME_PAYLOAD_BYTES));
    expect(read([PREFACE, largest])).toHaveLength(1);
    const larger = frame(0, 0, 1, Buffer.alloc(FRAME_PAYLOAD_BYTES + 1));
    for (const place of [1, 8, 9, 10]) expect(() => read([PREFACE, ...cut(larger, place)])).toThrow("16385");
    expect(() => read([PREFACE, larger.subarray(0, 9)])).toThrow("16385");
  });

  it("refuses another preface at its first wrong byte", () => {
    expect(read(cut(PREFACE, 5, 10))).toEqual([]);
    expect(() => read([Buffer.from("PRI * HTTP/2.0\r\n\r\nXX")])).toThrow("preface");
    expect(() => read([Buffer.from("PRI * H"), Buffer.from("TTQ")])).toThrow("preface");
  });

  it("holds no more memory than twice what has come of a frame", () => {
    const reader = new FrameReader({ frame() {} });
    reader.read(PREFACE);
    const large = frame(0, 0, 1, Buffer.alloc(FRAME_PAYLOAD_BYTES));
    const before = process.memoryUsage().arrayBuffers;
    for (const byte of large.subarray(0, 100)) reader.read(Buffer.from([byte]));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16_000);
  });
});
