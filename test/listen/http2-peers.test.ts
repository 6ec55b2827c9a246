import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { DEFAULT_LISTENER_LIMITS } from "../../src/listen/limits.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import type { App } from "../../src/listen/transport.ts";
import { HTTP2_NAMES } from "../support/carriers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2, type ReceivedFrame } from "../support/raw-h2.ts";

const HUGE_WINDOW = 2 ** 31 - 1;
const INITIAL_WINDOW_SIZE = 4;
const { headerFields, headerListBytes, resetBurst } = DEFAULT_LISTENER_LIMITS;

const isPing = ({ type, flags }: ReceivedFrame) => type === Frame.PING && (flags & Flag.ACK) === 0;
const number32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const open = (stream: number, block = headerBlock(grpcFields("/"))) =>
  frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, block);

/** Answers each call with so many bytes, and writes down how it ended. */
const answering = (bytes: number, ends: boolean[] = []): App => {
  return (call) => {
    call.receive({
      data() {},
      complete: () => call.answer(200, {}, Buffer.alloc(bytes)),
      drained() {},
      closed: (answered) => void ends.push(answered),
    });
  };
};

describe.each(HTTP2_NAMES)("a peer of %s HTTP/2", (http2) => {
  let listener: Listener | undefined;
  let peer: RawH2;
  const clock = new ManualClock();
  afterEach(async () => {
    peer.destroy();
    await listener?.close();
  });

  async function connect(app: App, settings: [number, number][] = []): Promise<void> {
    const limits = { pingAfterMs: 10_000, pingAnswerMs: 10_000 };
    listener = await startListener({ listen: "127.0.0.1:0", http2, clock, limits }, app);
    peer = await RawH2.connect(Number(listener.address.split(":").at(-1)), { settings });
    await peer.receive(({ type, flags }) => type === Frame.SETTINGS && flags === Flag.ACK);
  }

  /** Moves time on second by second, doing something in each of them. */
  async function pass(seconds: number, each: () => void = () => {}): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      each();
      // What was sent has to arrive before time goes on.
      await sleep(5);
      await clock.advance(1_000);
    }
    await sleep(50);
  }

  it("is told to go on when it waits for that before it sends its body, and has no answer yet", async () => {
    const answer = answering(1);
    await connect((call) => {
      if (call.target === "/refused") call.answer(401, {});
      else answer(call);
    });
    const expecting = (path: string) => headerBlock(grpcFields(path, [["expect", "100-Continue"]]));
    const heads = (stream: number) =>
      peer.frames.filter((one) => one.type === Frame.HEADERS && one.stream === stream);
    peer.send(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, expecting("/")),
      frame(Frame.HEADERS, Flag.END_HEADERS, 3, expecting("/refused")),
      frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 5, expecting("/")),
    );
    await peer.receive((one) => one.type === Frame.DATA && one.stream === 5);
    expect([heads(1).length, heads(3).length, heads(5).length]).toEqual([1, 1, 1]);
    expect(peer.frames.some(({ type, stream }) => type === Frame.DATA && stream === 1)).toBe(false);
    peer.send(frame(Frame.DATA, Flag.END_STREAM, 1, Buffer.from("body")));
    await peer.receive((one) => one.type === Frame.DATA && one.stream === 1);
    expect(heads(1)).toHaveLength(2);
  });

  it("is answered HEAD without a body, whatever the app says", async () => {
    await connect(answering(100));
    const head = headerBlock([[":method", "HEAD"], ...grpcFields("/a").slice(1)]);
    peer.send(open(1, head), open(3));
    await peer.receive((one) => one.type === Frame.DATA && one.stream === 3);
    const frames = peer.frames.filter(({ stream }) => stream === 1);
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM],
    ]);
  });

  it("is given up ten seconds after a PING to which it says nothing", async () => {
    await connect(answering(1));
    await pass(12);
    expect(peer.frames.some(isPing)).toBe(true);
    await pass(10);
    expect(peer.closed).toBe(true);
  });

  it("is not given up while it widens its window, whatever its answer to the PING stands behind", async () => {
    await connect(answering(1));
    await pass(60, () => peer.send(frame(Frame.WINDOW_UPDATE, 0, 0, number32(1))));
    expect(peer.frames.some(isPing)).toBe(true);
    expect(peer.closed).toBe(false);
  });

  it("is not given up while it calls, either", async () => {
    await connect(answering(1));
    await pass(12);
    let stream = -1;
    await pass(30, () => {
      stream += 2;
      peer.send(open(stream));
    });
    expect(peer.closed).toBe(false);
  });

  it("has half a minute for what it is sent within a huge window, before a PING behind it", async () => {
    const ends: boolean[] = [];
    await connect(answering(300_000, ends), [[INITIAL_WINDOW_SIZE, HUGE_WINDOW]]);
    peer.send(frame(Frame.WINDOW_UPDATE, 0, 0, number32(2 ** 30)));
    await pass(1);
    peer.socket.pause();
    peer.send(open(1));
    await pass(35);
    expect(ends).toEqual([true]);
    peer.socket.resume();
    expect(await peer.receive(isPing)).toBeDefined();
    expect(peer.frames.some(({ type, flags }) => type === Frame.DATA && (flags & 1) !== 0)).toBe(true);
    const ask = frame(Frame.PING, 0, 0, Buffer.from("are you?"));
    peer.send(ask);
    expect(await peer.receive((one) => one.type === Frame.PING && one.flags === Flag.ACK)).toBeDefined();
    // But not for ever.
    await pass(33);
    expect(peer.closed).toBe(true);
  });

  it("loses an answer of which it lets nothing through for 35 s, and no other", async () => {
    const ends: boolean[] = [];
    await connect(answering(100, ends), [[INITIAL_WINDOW_SIZE, 10]]);
    peer.answersPings = true;
    peer.send(open(1));
    await pass(34);
    peer.send(open(3), frame(Frame.WINDOW_UPDATE, 0, 3, number32(90)), open(5));
    await pass(5);
    const resets = peer.frames.filter(({ type }) => type === Frame.RST_STREAM);
    expect(resets.map(({ stream, payload }) => [stream, payload.readUInt32BE()])).toEqual([[1, 8]]);
    expect(ends.toSorted()).toEqual([false, true]);
    await pass(35);
    expect(peer.frames.filter(({ type }) => type === Frame.RST_STREAM).map(({ stream }) => stream)).toEqual([
      1, 5,
    ]);
  });

  it.each([
    ["fields", headerBlock(grpcFields("/", Array(headerFields).fill(["x", "1"])))],
    ["bytes", headerBlock(grpcFields("/", [["x", "y".repeat(headerListBytes - 200)]]))],
  ])("is sent away when it makes us reset too many streams by too many header %s", async (_what, block) => {
    const ends: boolean[] = [];
    await connect(answering(1, ends));
    peer.answersPings = true;
    let stream = 1;
    const refuse = async (times: number) => {
      for (let sent = 1; sent <= times && !peer.closed; sent++, stream += 2) {
        peer.send(open(stream, block));
        // No more at a time than may be open.
        if (sent % 50 === 0)
          await peer.receive((one) => one.type === Frame.RST_STREAM && one.stream === stream);
      }
    };
    await refuse(resetBurst / 2);
    await pass(2);
    peer.send(open(stream));
    await peer.receive((one) => one.type === Frame.DATA && one.stream === stream);
    stream += 2;
    await refuse(2 * resetBurst);
    await pass(2);
    const goaway = peer.frames.find(({ type }) => type === Frame.GOAWAY);
    expect(goaway?.payload.readUInt32BE(4)).toBe(11);
    await pass(3);
    expect(peer.closed).toBe(true);
    expect(ends).toEqual([true]);
  });
});
