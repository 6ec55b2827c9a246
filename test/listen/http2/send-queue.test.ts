import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_WINDOW, MAX_31_BITS, PREFACE } from "../../../src/listen/http2/frame.ts";
import { FrameReader } from "../../../src/listen/http2/frame-reader.ts";
import { pingFrame, resetFrame } from "../../../src/listen/http2/frame-writer.ts";
import { HpackDecoder } from "../../../src/listen/http2/hpack-decoder.ts";
import { encodeHeaders, encodeTableSizeUpdate } from "../../../src/listen/http2/hpack-encoder.ts";
import { SendQueue } from "../../../src/listen/http2/send-queue.ts";
import { Slab } from "../../../src/listen/http2/slab.ts";
import { Http2Stream, type StreamOwner } from "../../../src/listen/http2/stream.ts";
import { POST_HEAD } from "../../support/post-head.ts";
import { Flag, Frame, type ReceivedFrame } from "../../support/raw-h2.ts";

const DATE = encodeHeaders({ date: "Fri, 27 Nov 2026 20:00:00 GMT" });

/** A queue and what has left it, frame by frame. */
class Sender {
  readonly frames: ReceivedFrame[] = [];
  /** Bytes of bodies that have left, by stream. */
  readonly sent = new Map<number, number>();
  readonly finished: number[] = [];
  readonly drained: number[] = [];
  readonly queue = new SendQueue({
    sentData() {},
    drained: ({ id }) => void this.drained.push(id),
    finished: (stream) => {
      stream.outcome = "answered";
      this.finished.push(stream.id);
    },
  });
  /** Whether the socket keeps what it is given. */
  kept = false;
  readonly #slab = new Slab();
  readonly #owner: StreamOwner = {
    secure: false,
    peer: "test",
    sendLater: (stream, bytes) => {
      this.queue.waitingBytes += bytes;
      this.queue.add(stream);
    },
    tellLater() {},
    cut() {},
    widen() {},
    open() {},
  };
  readonly #reader = new FrameReader({
    frame: (type, flags, stream, bytes, start, end) => {
      this.frames.push({ type, flags, stream, payload: Buffer.from(bytes.subarray(start, end)) });
      if (type === Frame.DATA) this.sent.set(stream, (this.sent.get(stream) ?? 0) + end - start);
    },
  });

  constructor() {
    this.#reader.read(PREFACE);
  }

  stream(id: number, window = DEFAULT_WINDOW): Http2Stream {
    return new Http2Stream(this.#owner, id, POST_HEAD, window);
  }

  /** Lets go what may go; returns in how many writes. */
  send(): number {
    let writes = 0;
    while (this.queue.ready) {
      this.queue.fill(this.#slab, DATE);
      const { written } = this.#slab;
      if (written.length === 0) break;
      this.#reader.read(Buffer.from(written));
      this.#slab.next(this.kept);
      writes++;
    }
    return writes;
  }

  bodyOf(id: number): Buffer {
    return Buffer.concat(
      this.frames
        .filter(({ type, stream }) => type === Frame.DATA && stream === id)
        .map(({ payload }) => payload),
    );
  }

  /** Types and END_STREAM of a stream's frames. */
  shapeOf(id: number): string {
    const letters = ["D", "H", "", "", "", "", "", "", "", "C"];
    return this.frames
      .filter(({ stream }) => stream === id)
      .map(({ type, flags }) => letters[type] + (flags & Flag.END_STREAM ? "." : ""))
      .join("");
  }
}

const PATTERN = Buffer.from(Array.from({ length: 40_000 }, (_, at) => at % 251));
const bytes = (length: number) => PATTERN.subarray(0, length);

describe("SendQueue", () => {
  it("sends an answer in as few frames as it can", () => {
    const sender = new Sender();
    sender.stream(1).answer(200, {});
    sender.stream(3).answer(200, {}, Buffer.from("x"));
    sender.stream(5).answer(200, {}, undefined, { a: "b" });
    sender.stream(7).answer(200, {}, Buffer.from("x"), { a: "b" });
    sender.stream(9).answer(200, {}, Buffer.alloc(0));
    expect(sender.send()).toBe(1);
    expect([1, 3, 5, 7, 9].map((id) => sender.shapeOf(id))).toEqual(["H.", "HD.", "HH.", "HDH.", "H."]);
    expect(sender.finished).toEqual([1, 3, 5, 7, 9]);
  });

  it("sends an answer that comes in pieces, and ends it", () => {
    const sender = new Sender();
    const stream = sender.stream(1);
    stream.begin(200, {}, false);
    sender.send();
    expect(stream.write(Buffer.from("one"))).toBe(false);
    sender.send();
    stream.write(Buffer.from("two"));
    stream.write(Buffer.from("three"));
    sender.send();
    stream.end();
    sender.send();
    expect(sender.shapeOf(1)).toBe("HDDDD.");
    expect(sender.bodyOf(1).toString()).toBe("onetwothree");
    expect(sender.queue.waitingBytes).toBe(0);
  });

  it("puts the date into the head and not into trailers", () => {
    const sender = new Sender();
    sender.stream(1).answer(404, { a: "b" }, Buffer.from("x"), { c: "d" });
    sender.send();
    const limits = { headerListBytes: 1_000, headerFields: 10 };
    const hpack = new HpackDecoder();
    const blocks = sender.frames.filter(({ type }) => type === Frame.HEADERS);
    expect(blocks.map(({ payload }) => hpack.decode(payload, limits))).toEqual([
      [":status", "404", "a", "b", "date", "Fri, 27 Nov 2026 20:00:00 GMT"],
      ["c", "d"],
    ]);
  });

  it("cuts a header block that is larger than a frame, and lets nothing come between", () => {
    const sender = new Sender();
    const large = "x".repeat(100_000);
    sender.stream(1).answer(200, { large }, Buffer.from("x"), { large });
    sender.queue.tableUpdate = encodeTableSizeUpdate(0);
    sender.queue.control(pingFrame(1, Buffer.alloc(8), 0));
    sender.send();
    expect(sender.shapeOf(1)).toBe("HCCCCCCDH.CCCCCC");
    const blocks = sender.frames.filter(({ type }) => type === Frame.HEADERS || type === Frame.CONTINUATION);
    expect(blocks.map(({ flags }) => flags & Flag.END_HEADERS).join("")).toBe("00000040000004");
    const first = Buffer.concat(blocks.slice(0, 7).map(({ payload }) => payload));
    const list = new HpackDecoder().decode(first, { headerListBytes: 200_000, headerFields: 10 });
    expect(list[3]).toBe(large);
    expect(first[0]).toBe(0x20);
  });

  it("sends control frames before answers, all of them", () => {
    const sender = new Sender();
    sender.stream(1).answer(200, {});
    for (let at = 0; at < 900; at++) sender.queue.control(resetFrame(2 * at + 3, 8));
    sender.send();
    expect(sender.frames).toHaveLength(901);
    expect(sender.frames.at(-1)?.type).toBe(Frame.HEADERS);
    for (let at = 0; at < 1_000; at++) sender.queue.control(resetFrame(2 * at + 3, 8));
    expect(sender.queue.overfull).toBe(false);
    sender.queue.control(resetFrame(1, 8));
    expect(sender.queue.overfull).toBe(true);
  });

  it("does not let a large answer hold up small ones", () => {
    const sender = new Sender();
    sender.queue.widen(1_000_000);
    sender.stream(1, 1_000_000).answer(200, {}, Buffer.alloc(1_000_000));
    sender.stream(3).answer(200, {}, Buffer.from("small"), {});
    sender.send();
    const small = sender.frames.findIndex(({ stream }) => stream === 3);
    expect(small).toBeLessThan(4);
    expect(sender.bodyOf(1).length).toBe(1_000_000);
  });

  it("sends nothing of a stream that was cut", () => {
    const sender = new Sender();
    const stream = sender.stream(1, 10);
    stream.answer(200, {}, Buffer.alloc(100));
    sender.send();
    stream.outcome = "cut";
    sender.queue.remove(stream);
    stream.sendWindow += 100;
    sender.queue.add(stream);
    sender.send();
    expect(sender.bodyOf(1).length).toBe(10);
    expect(sender.queue.waitingBytes).toBe(0);
  });

  it("keeps nothing of streams that are cut while they wait for a window that never comes", () => {
    const sender = new Sender();
    sender.stream(1).answer(200, {}, Buffer.alloc(DEFAULT_WINDOW));
    sender.send();
    const cut: Http2Stream[] = [];
    for (let id = 3; id < 203; id += 2) {
      const stream = sender.stream(id);
      cut.push(stream);
      stream.answer(200, {}, Buffer.from("x"));
      sender.send();
      stream.outcome = "cut";
      sender.queue.remove(stream);
    }
    expect(sender.queue.waitingBytes).toBe(0);
    // Only one that still waits has its turn when the window comes.
    sender.stream(203).answer(200, {}, Buffer.from("late"));
    sender.send();
    sender.queue.widen(4);
    expect(cut.filter(({ nextQueued }) => nextQueued !== undefined)).toEqual([]);
    sender.send();
    expect(sender.bodyOf(203).toString()).toBe("late");
  });

  it("refuses a window above 2^31-1", () => {
    const sender = new Sender();
    sender.queue.widen(MAX_31_BITS - DEFAULT_WINDOW);
    expect(() => sender.queue.widen(1)).toThrow("2^31-1");
  });

  it("keeps to every window, and delivers every byte in order, however windows come", () => {
    const plan = fc.record({
      bodies: fc.array(fc.array(fc.nat(40_000), { minLength: 1, maxLength: 3 }), {
        minLength: 1,
        maxLength: 6,
      }),
      trailers: fc.boolean(),
      window: fc.nat(30_000),
      updates: fc.array(fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 50_000 })), { maxLength: 40 }),
    });
    fc.assert(
      fc.property(plan, ({ bodies, trailers, window, updates }) => {
        const sender = new Sender();
        const allowed = new Map<number, number>([[0, DEFAULT_WINDOW]]);
        const streams = bodies.map((pieces, at) => {
          const stream = sender.stream(2 * at + 1, window);
          allowed.set(stream.id, window);
          stream.begin(200, {}, trailers);
          for (const piece of pieces) stream.write(bytes(piece));
          stream.end(trailers ? { a: "b" } : undefined);
          return stream;
        });
        const widen = (id: number, by: number) => {
          allowed.set(id, (allowed.get(id) ?? 0) + by);
          const stream = streams.find((one) => one.id === id);
          if (id === 0) sender.queue.widen(by);
          else if (stream) {
            stream.sendWindow += by;
            if (stream.body.length > 0) sender.queue.add(stream);
          }
        };
        const check = () => {
          sender.send();
          let all = 0;
          for (const { id } of streams) {
            const sent = sender.sent.get(id) ?? 0;
            all += sent;
            if (sent > (allowed.get(id) ?? 0)) expect(sent).toBe(allowed.get(id));
          }
          expect(all).toBeLessThanOrEqual(allowed.get(0) ?? 0);
        };
        check();
        for (const [which, by] of updates) {
          widen(which === 0 ? 0 : 2 * which - 1, by);
          check();
        }
        widen(0, 1_000_000);
        for (const { id } of streams) widen(id, 200_000);
        check();
        for (const [at, { id }] of streams.entries()) {
          expect(sender.bodyOf(id).equals(Buffer.concat((bodies[at] ?? []).map(bytes)))).toBe(true);
          expect(sender.shapeOf(id)).toMatch(trailers ? /^HD*H\.$/ : /^H(D*D)?\.$|^HD*\.$/);
        }
        expect(sender.finished.length).toBe(streams.length);
        expect(sender.queue.waitingBytes).toBe(0);
        expect(sender.frames.every(({ payload }) => payload.length <= 16_384)).toBe(true);
      }),
    );
  });
});
