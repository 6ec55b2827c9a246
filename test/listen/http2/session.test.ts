import { afterEach, describe, expect, it } from "vitest";
import { ErrorCode } from "../../../src/listen/http2/frame.ts";
import { encodeHeaders } from "../../../src/listen/http2/hpack-encoder.ts";
import type { ListenerLimits } from "../../../src/listen/limits.ts";
import { type Listener, startListener } from "../../../src/listen/listener.ts";
import type { App, Receiver, TransportCall } from "../../../src/listen/transport.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import {
  Flag,
  Frame,
  frame,
  grpcFields,
  headerBlock,
  RawH2,
  type ReceivedFrame,
} from "../../support/raw-h2.ts";

const call = headerBlock(grpcFields("/a.B/C"));
const open = (id: number, flags = 0, block = call) =>
  frame(Frame.HEADERS, Flag.END_HEADERS | flags, id, block);
const of =
  (type: number, stream: number) =>
  (one: ReceivedFrame): boolean =>
    one.type === type && one.stream === stream;
const number32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** What a receiver was told, in order. */
class Recorder implements Receiver {
  readonly told: string[] = [];
  readonly call: TransportCall;
  bytes = 0;

  constructor(call: TransportCall) {
    this.call = call;
    call.receive(this);
  }

  data(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.told.push("data");
  }
  complete(): void {
    this.told.push("complete");
  }
  drained(): void {
    this.told.push("drained");
  }
  closed(answered: boolean): void {
    this.told.push(answered ? "answered" : "cut");
  }
}

describe("a connection of our own HTTP/2", () => {
  let listener: Listener | undefined;
  let client: RawH2 | undefined;
  afterEach(async () => {
    client?.destroy();
    await listener?.close();
  });

  async function connect(
    app: App,
    {
      limits,
      clock,
      settings,
    }: { limits?: Partial<ListenerLimits>; clock?: ManualClock; settings?: [number, number][] } = {},
  ): Promise<RawH2> {
    listener = await startListener(
      { listen: "127.0.0.1:0", http2: "own", ...(limits && { limits }), ...(clock && { clock }) },
      app,
    );
    client = await RawH2.connect(Number(listener.address.split(":").at(-1)), settings && { settings });
    await client.receive(({ type, flags }) => type === Frame.SETTINGS && flags === Flag.ACK);
    return client;
  }

  /** Collects the calls that come. */
  function recording(): { calls: Recorder[]; app: App } {
    const calls: Recorder[] = [];
    return { calls, app: (call) => void calls.push(new Recorder(call)) };
  }

  /** A PING that is answered: everything before it was read. */
  async function settle(peer: RawH2): Promise<void> {
    const mark = Buffer.from(`ping${String(peer.frames.length).padStart(4, "0")}`);
    peer.send(frame(Frame.PING, 0, 0, mark));
    expect(
      await peer.receive(({ type, payload }) => type === Frame.PING && payload.equals(mark)),
    ).toBeDefined();
  }

  /** A connection with call 1 open, to which the listener has said that this call was its last. */
  async function connectAndBeToldToGo(app: App): Promise<RawH2> {
    const peer = await connect(app);
    peer.answersPings = true;
    peer.send(open(1));
    await settle(peer);
    void listener?.drain();
    await peer.receive(({ type, payload }) => type === Frame.GOAWAY && payload.readUInt32BE() === 1);
    return peer;
  }

  it("says why it ends, in the debug data of GOAWAY, and which stream was the last", async () => {
    const { calls, app } = recording();
    const peer = await connect(app);
    peer.send(open(5), frame(Frame.PING, 0, 7, Buffer.alloc(8)));
    const goaway = await peer.receive(({ type }) => type === Frame.GOAWAY);
    expect(goaway?.payload.readUInt32BE(0)).toBe(5);
    expect(goaway?.payload.readUInt32BE(4)).toBe(ErrorCode.PROTOCOL_ERROR);
    expect(goaway?.payload.toString("latin1", 8)).toBe("PING on a stream");
    expect(calls).toHaveLength(0);
  });

  it.each([
    ["DATA", Flag.PADDED],
    ["HEADERS", Flag.PADDED],
    ["HEADERS", Flag.PRIORITY],
  ] as const)(
    "names the size as what is wrong with a %s frame without what its flag %i promises",
    async (type, flag) => {
      const peer = await connect(recording().app);
      peer.send(open(1), frame(Frame[type], flag | Flag.END_HEADERS, type === "DATA" ? 1 : 3));
      const goaway = await peer.receive((one) => one.type === Frame.GOAWAY);
      expect(goaway?.payload.readUInt32BE(4)).toBe(ErrorCode.FRAME_SIZE_ERROR);
    },
  );

  it("cuts the calls of a peer at fault, and hands nothing of them on", async () => {
    const { calls, app } = recording();
    const peer = await connect(app);
    peer.send(open(1));
    await settle(peer);
    peer.send(frame(Frame.DATA, 0, 1, Buffer.from("x")), frame(Frame.DATA, 0, 3, Buffer.from("x")));
    await peer.receive(({ type }) => type === Frame.GOAWAY);
    expect(calls.map(({ told }) => told)).toEqual([["cut"]]);
  });

  it("takes the rest of a request that was answered before its end, and resets nothing", async () => {
    const { calls, app } = recording();
    const clock = new ManualClock();
    const peer = await connect(app, { clock });
    peer.send(open(1), frame(Frame.DATA, 0, 1, Buffer.from("half")), open(3));
    await settle(peer);
    for (const { call } of calls) call.answer(200, {}, Buffer.from("no"));
    await peer.receive((one) => of(Frame.DATA, 3)(one) && (one.flags & Flag.END_STREAM) !== 0);
    peer.send(frame(Frame.DATA, 0, 1, Buffer.from("other half")), frame(Frame.DATA, Flag.END_STREAM, 1));
    peer.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 3, headerBlock([["x-end", "1"]])));
    await settle(peer);
    await clock.advance(5_000);
    await settle(peer);
    expect(calls.map(({ told }) => told)).toEqual([["data", "answered"], ["answered"]]);
    expect(peer.frames.filter(({ type }) => type === Frame.RST_STREAM)).toHaveLength(0);
  });

  it("ends with the request that was answered before its end, when it leaves", async () => {
    const { calls, app } = recording();
    const peer = await connect(app);
    peer.send(open(1));
    await settle(peer);
    calls[0]?.call.answer(200, {}, Buffer.from("no"));
    await peer.receive((one) => of(Frame.DATA, 1)(one) && (one.flags & Flag.END_STREAM) !== 0);
    peer.send(frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8)));
    await settle(peer);
    expect(peer.closed).toBe(false);
    peer.send(frame(Frame.DATA, Flag.END_STREAM, 1));
    await peer.untilClosed();
  });

  it("tells a caller to stop, without an error, when the answer is complete and the request does not end", async () => {
    const { calls, app } = recording();
    const clock = new ManualClock();
    const peer = await connect(app, { clock });
    peer.send(open(1), frame(Frame.DATA, 0, 1, Buffer.from("half")));
    await settle(peer);
    calls[0]?.call.answer(200, {}, Buffer.from("no"));
    await peer.receive((one) => of(Frame.DATA, 1)(one) && (one.flags & Flag.END_STREAM) !== 0);
    await clock.advance(2_000);
    const reset = await peer.receive(of(Frame.RST_STREAM, 1));
    expect(reset?.payload.readUInt32BE()).toBe(ErrorCode.NO_ERROR);
    const ends = peer.frames.findIndex(
      (one) => of(Frame.DATA, 1)(one) && (one.flags & Flag.END_STREAM) !== 0,
    );
    expect(ends).toBeGreaterThan(0);
    expect(ends).toBeLessThan(peer.frames.findIndex(of(Frame.RST_STREAM, 1)));
    // What is under way meanwhile is no mistake.
    peer.send(frame(Frame.DATA, 0, 1, Buffer.from("other half")), frame(Frame.DATA, Flag.END_STREAM, 1));
    await settle(peer);
    expect(calls[0]?.told).toEqual(["data", "answered"]);
    expect(peer.frames.filter(({ type }) => type === Frame.RST_STREAM)).toHaveLength(1);
  });

  it("does not open a call that is reset in the same packet", async () => {
    const { calls, app } = recording();
    const peer = await connect(app);
    peer.send(open(1, Flag.END_STREAM), frame(Frame.RST_STREAM, 0, 1, number32(8)));
    peer.send(open(3, Flag.END_STREAM));
    await settle(peer);
    expect(calls.map(({ told }) => told)).toEqual([["complete"]]);
  });

  it("takes trailers of a request for its end", async () => {
    const { calls, app } = recording();
    const peer = await connect(app);
    const trailers = headerBlock([["x-a", "b"]]);
    peer.send(open(1), frame(Frame.DATA, 0, 1, Buffer.from("x")));
    peer.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, trailers));
    await settle(peer);
    expect(calls[0]?.told).toEqual(["data", "complete"]);
  });

  it("ignores all of a call that was opened while it said GOAWAY, its trailers too", async () => {
    const { calls, app } = recording();
    const peer = await connectAndBeToldToGo(app);
    const trailers = headerBlock([["x-a", "b"]]);
    peer.send(open(3), frame(Frame.DATA, 0, 3, Buffer.from("x")), open(3, Flag.END_STREAM, trailers));
    await settle(peer);
    expect(calls.map(({ told }) => told)).toEqual([[]]);
    calls[0]?.call.answer(200, {});
    expect(await peer.receive(of(Frame.HEADERS, 1))).toBeDefined();
  });

  it("ends a connection whose peer goes on opening calls after GOAWAY", async () => {
    const { calls, app } = recording();
    const peer = await connectAndBeToldToGo(app);
    for (let stream = 3; stream < 8_000 && !peer.closed; stream += 2) peer.send(open(stream));
    const calm = ({ type, payload }: ReceivedFrame) =>
      type === Frame.GOAWAY && payload.readUInt32BE(4) === ErrorCode.ENHANCE_YOUR_CALM;
    expect(await peer.receive(calm)).toBeDefined();
    expect(calls.map(({ told }) => told)).toEqual([["cut"]]);
  });

  it.each([1, 2 ** 31 - 1])(
    "says that stream %i was the last before it closes behind a peer that goes (RFC 9113 §6.8)",
    async (id) => {
      const { calls, app } = recording();
      const peer = await connect(app);
      peer.send(open(id, Flag.END_STREAM), frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8)));
      await settle(peer);
      expect(peer.frames.some(({ type }) => type === Frame.GOAWAY)).toBe(false);
      calls[0]?.call.answer(200, {});
      await peer.untilClosed();
      const types = peer.frames.slice(-2).map(({ type }) => type);
      expect(types).toEqual([Frame.HEADERS, Frame.GOAWAY]);
      expect(peer.frames.at(-1)?.payload.readUInt32BE()).toBe(id);
    },
  );

  it("lets a paused call fill its window, and no other call waits for it", async () => {
    const { calls, app } = recording();
    const peer = await connect(app);
    peer.send(open(1), open(3));
    await settle(peer);
    calls[0]?.call.pause();
    const piece = Buffer.alloc(13_107);
    for (let at = 0; at < 5; at++) peer.send(frame(Frame.DATA, 0, 1, piece));
    for (let at = 0; at < 40; at++) {
      peer.send(frame(Frame.DATA, 0, 3, piece));
      // A sender that heeds its windows: it waits for updates of stream 3 and of the connection.
      await settle(peer);
    }
    expect(calls.map(({ bytes }) => bytes)).toEqual([0, 40 * piece.length]);
    const widened = (id: number) =>
      peer.frames
        .filter(of(Frame.WINDOW_UPDATE, id))
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
    expect(widened(1)).toBe(0);
    expect(widened(3)).toBeGreaterThan(0);
    expect(widened(0)).toBeGreaterThan(40 * piece.length);
    calls[0]?.call.resume();
    await settle(peer);
    expect(calls[0]?.bytes).toBe(65_535);
    // By what was taken when more than half of the window was.
    expect(widened(1)).toBe(3 * piece.length);
    // One byte more than the window is an error of the stream.
    calls[0]?.call.pause();
    for (let at = 0; at < 3; at++) peer.send(frame(Frame.DATA, 0, 1, piece));
    peer.send(frame(Frame.DATA, 0, 1, Buffer.alloc(1)));
    const reset = await peer.receive(of(Frame.RST_STREAM, 1));
    expect(reset?.payload.readUInt32BE()).toBe(ErrorCode.FLOW_CONTROL_ERROR);
  });

  it("refuses new calls while the answers of others fill its memory, in a way that clients try again", async () => {
    const { calls, app } = recording();
    const peer = await connect(app, { limits: { sessionMemoryMiB: 1 }, settings: [[4, 0]] });
    peer.send(open(1, Flag.END_STREAM));
    await settle(peer);
    calls[0]?.call.answer(200, {}, Buffer.alloc(2 ** 20 + 1));
    peer.send(open(3, Flag.END_STREAM));
    const refused = await peer.receive(of(Frame.RST_STREAM, 3));
    expect(refused?.payload.readUInt32BE()).toBe(ErrorCode.REFUSED_STREAM);
    // A stream that is given up gives its memory back.
    peer.send(frame(Frame.RST_STREAM, 0, 1, number32(8)), open(5, Flag.END_STREAM));
    await settle(peer);
    expect(calls.map(({ told }) => told)).toEqual([["complete", "cut"], ["complete"]]);
  });

  it("begins its next header block by a size update when the peer has made its table smaller", async () => {
    const peer = await connect(
      (call) => {
        call.receive(new Recorder(call));
        call.answer(200, {});
      },
      { settings: [[1, 0]] },
    );
    peer.send(open(1, Flag.END_STREAM), open(3, Flag.END_STREAM));
    await peer.receive(of(Frame.HEADERS, 3));
    const blocks = peer.frames.filter(({ type }) => type === Frame.HEADERS).map(({ payload }) => payload);
    expect(blocks.map((block) => block[0])).toEqual([0x20, encodeHeaders({}, 200)[0]]);
  });

  it("ends a connection whose peer does not acknowledge SETTINGS", async () => {
    const clock = new ManualClock();
    listener = await startListener({ listen: "127.0.0.1:0", http2: "own", clock }, () => {});
    client = await RawH2.connect(Number(listener.address.split(":").at(-1)), { preface: false });
    client.send(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(Frame.SETTINGS, 0, 0));
    client.answersPings = true;
    await client.receive(({ type, flags }) => type === Frame.SETTINGS && flags === Flag.ACK);
    for (let second = 0; second < 32; second++) {
      await clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const goaway = await client.receive(({ type }) => type === Frame.GOAWAY);
    expect(goaway?.payload.readUInt32BE(4)).toBe(ErrorCode.SETTINGS_TIMEOUT);
  });

  it("ends a connection whose header block does not come to its end, though it answers every PING", async () => {
    const clock = new ManualClock();
    const { app } = recording();
    const peer = await connect(app, { clock, limits: { pingAfterMs: 3_600_000 } });
    peer.send(frame(Frame.HEADERS, 0, 1, call));
    const dripped = peer.receive(({ type }) => type === Frame.GOAWAY);
    for (let second = 0; second < 12; second++) {
      peer.send(frame(Frame.CONTINUATION, 0, 1));
      await new Promise((resolve) => setTimeout(resolve, 5));
      await clock.advance(1_000);
    }
    expect((await dripped)?.payload.readUInt32BE(4)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it.each([
    { peer: "says nothing", says: false, ends: true },
    { peer: "says something else meanwhile", says: true, ends: false },
  ])("bears for 20 s that a peer does not answer a PING and $peer; ends it then: $ends", async (row) => {
    const clock = new ManualClock();
    const peer = await connect(recording().app, { clock });
    peer.send(frame(Frame.SETTINGS, Flag.ACK, 0));
    await settle(peer);
    let ended = false;
    const end = peer.untilClosed().then(() => {
      ended = true;
    });
    const pass = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        if (row.says) await settle(peer);
        await clock.advance(1_000);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    // A quiet peer is asked after ten seconds.
    await pass(29);
    expect(ended).toBe(false);
    await pass(3);
    if (row.ends) await end;
    expect(ended).toBe(row.ends);
  });

  it("closes a connection whose peer has not read for half a minute", async () => {
    const clock = new ManualClock();
    const { calls, app } = recording();
    const peer = await connect(app, { clock, settings: [[4, 2 ** 31 - 1]] });
    peer.send(frame(Frame.WINDOW_UPDATE, 0, 0, number32(2 ** 30)), open(1, Flag.END_STREAM));
    await settle(peer);
    peer.socket.pause();
    calls[0]?.call.answer(200, {}, Buffer.alloc(30 * 2 ** 20));
    for (let second = 0; second < 29; second++) await clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(calls[0]?.told).toEqual(["complete"]);
    // Its half minute begins when the socket takes no more, which may be late on a busy machine.
    while (calls[0]?.told.length === 1) {
      await clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(calls[0]?.told).toEqual(["complete", "cut"]);
  });

  it("resets a call of whose answer its peer has let nothing through for 35 s, and none that goes on", async () => {
    const clock = new ManualClock();
    const peer = await connect(
      (call) => {
        call.receive(new Recorder(call));
        call.answer(200, {}, Buffer.alloc(100_000));
      },
      { clock, settings: [[4, 10]], limits: { pingAfterMs: 3_600_000 } },
    );
    peer.send(open(1, Flag.END_STREAM), open(3, Flag.END_STREAM));
    for (let second = 0; second < 34; second++) {
      peer.send(frame(Frame.WINDOW_UPDATE, 0, 3, number32(1)));
      await settle(peer);
      await clock.advance(1_000);
    }
    await settle(peer);
    expect(peer.frames.filter(({ type }) => type === Frame.RST_STREAM)).toEqual([]);
    for (let second = 0; second < 4; second++) await clock.advance(1_000);
    expect((await peer.receive(of(Frame.RST_STREAM, 1)))?.payload.readUInt32BE()).toBe(ErrorCode.CANCEL);
    expect(peer.frames.some(of(Frame.RST_STREAM, 3))).toBe(false);
  });
});
