import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HTTP2_NAMES } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { REPEAT, SAY } from "../support/echo-service.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { indexed, intoTable, sizeUpdate } from "../support/hpack-writer.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { underAttack } from "../support/under-attack.ts";

const ATTACKERS = 10;

/** Repeats `make` with rising stream ids until the bytes are sent or the server has closed the connection. */
async function flood(
  client: RawH2,
  times: number,
  make: (at: number, stream: number) => Buffer,
): Promise<void> {
  for (let at = 0; at < times && !client.closed; ) {
    const batch: Buffer[] = [];
    for (let i = 0; i < 500 && at < times; i++, at++) batch.push(make(at, 2 * at + 1));
    await client.sendAll(...batch);
  }
}

const open = headerBlock(grpcFields(SAY));
const number32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** A stream that is opened, and what is sent behind it. */
const streams =
  (flags: number, ...behind: ((stream: number) => Buffer)[]) =>
  (client: RawH2): Promise<void> =>
    flood(client, 2_500, (_at, stream) =>
      Buffer.concat([
        frame(Frame.HEADERS, Flag.END_HEADERS | flags, stream, open),
        ...behind.map((make) => make(stream)),
      ]),
    );

/** The same frame again and again, the answers to which nobody reads. */
const unread =
  (one: Buffer) =>
  async (client: RawH2): Promise<void> => {
    client.socket.pause();
    for (let sent = 0; sent < 10_000 && !client.closed; sent += 500)
      if (!client.send(Buffer.concat(Array(500).fill(one)))) break;
    // Until the server closes, or the buffers of both sockets are full and it does nothing more.
    await new Promise((resolve) => setTimeout(resolve, 200));
  };

const reset = (stream: number) => frame(Frame.RST_STREAM, 0, stream, number32(8));

/** Each is thrown at the server by ten connections at once. */
const FLOODS: Record<string, (client: RawH2) => Promise<void>> = {
  "rapid reset (CVE-2023-44487)": streams(0, reset),
  "rapid reset of complete requests": streams(Flag.END_STREAM, reset),
  "streams that make the server reset (CVE-2025-8671) by WINDOW_UPDATE of 0": streams(0, (stream) =>
    frame(Frame.WINDOW_UPDATE, 0, stream, number32(0)),
  ),
  "streams that make the server reset by a window above 2^31": streams(0, (stream) =>
    frame(Frame.WINDOW_UPDATE, 0, stream, number32(0x7fff_ffff)),
  ),
  "streams that make the server reset by PRIORITY on themselves": streams(0, (stream) =>
    frame(Frame.PRIORITY, 0, stream, Buffer.concat([number32(stream), Buffer.from([16])])),
  ),
  "streams that make the server reset by DATA behind their end": streams(Flag.END_STREAM, (stream) =>
    frame(Frame.DATA, 0, stream, Buffer.from("x")),
  ),
  "streams that make the server reset by a second header block": streams(0, (stream) =>
    frame(Frame.HEADERS, Flag.END_HEADERS, stream, open),
  ),
  "a header block that goes on and on": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, 0, 1, open));
    await flood(client, 2_500, () =>
      frame(Frame.CONTINUATION, 0, 1, headerBlock([["x-more", "x".repeat(200)]])),
    );
  },
  "empty CONTINUATION frames (CVE-2024-27983)": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, 0, 1, open));
    await flood(client, 6_000, () => frame(Frame.CONTINUATION, 0, 1));
  },
  "SETTINGS (CVE-2019-9515)": (client) => flood(client, 6_000, () => frame(Frame.SETTINGS, 0, 0)),
  "SETTINGS with 2,700 entries each": (client) => {
    const many = Buffer.concat(Array(2_700).fill(Buffer.from([0, 4, 0, 1, 0, 0])));
    return flood(client, 200, () => frame(Frame.SETTINGS, 0, 0, many));
  },
  "SETTINGS that move the windows of a hundred streams": async (client) => {
    for (let stream = 1; stream < 200; stream += 2)
      client.send(frame(Frame.HEADERS, Flag.END_HEADERS, stream, open));
    const size = (at: number) => Buffer.concat([Buffer.from([0, 4]), number32(1 + (at % 60_000))]);
    await flood(client, 2_500, (at) => frame(Frame.SETTINGS, 0, 0, size(at)));
  },
  "SETTINGS whose acknowledgements nobody reads": unread(frame(Frame.SETTINGS, 0, 0)),
  "PING (CVE-2019-9512)": (client) => flood(client, 6_000, () => frame(Frame.PING, 0, 0, Buffer.alloc(8))),
  "PING whose answers nobody reads": unread(frame(Frame.PING, 0, 0, Buffer.alloc(8))),
  "PRIORITY (CVE-2019-9513)": (client) =>
    flood(client, 6_000, (_at, stream) =>
      frame(Frame.PRIORITY, 0, stream, Buffer.concat([number32(0), Buffer.from([1])])),
    ),
  WINDOW_UPDATE: (client) => flood(client, 6_000, () => frame(Frame.WINDOW_UPDATE, 0, 0, number32(1))),
  "WINDOW_UPDATE of a stream that waits": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open));
    await flood(client, 6_000, () => frame(Frame.WINDOW_UPDATE, 0, 1, number32(1)));
  },
  "RST_STREAM of one stream": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open));
    await flood(client, 6_000, () => reset(1));
  },
  "frames of a type that nobody knows": (client) => flood(client, 6_000, () => frame(0xfa, 0, 0, open)),
  "empty DATA (CVE-2019-9518)": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open));
    await flood(client, 6_000, () => frame(Frame.DATA, 0, 1));
  },
  "DATA of padding alone": async (client) => {
    const PADDED = 8;
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open));
    await flood(client, 6_000, () => frame(Frame.DATA, PADDED, 1, Buffer.from([0])));
  },
  "a window of one byte for each answer (CVE-2019-9511)": async (client) => {
    client.send(frame(Frame.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), number32(0)])));
    const body = frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({ times: 4_000 }));
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open), body);
    await flood(client, 4_000, () => frame(Frame.WINDOW_UPDATE, 0, 1, number32(1)));
  },
  "names of no length (CVE-2019-9516)": (client) => {
    const nameless = Buffer.concat([open, ...Array(80).fill(headerBlock([["", "x"]]))]);
    return flood(client, 1_500, (_at, stream) => frame(Frame.HEADERS, Flag.END_HEADERS, stream, nameless));
  },
  "a header bomb (one long field, referred to again and again)": async (client) => {
    const long = Buffer.concat([open, intoTable("x-bomb", "x".repeat(3_900))]);
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, long));
    // A megabyte that says four thousand.
    await flood(client, 100, (_at, stream) =>
      frame(
        Frame.HEADERS,
        Flag.END_HEADERS,
        stream + 2,
        Buffer.concat([open, Buffer.alloc(10_000, indexed(62))]),
      ),
    );
  },
  "a header bomb of many short fields, each within the limits (CVE-2026-49975)": async (client) => {
    await client.sendAll(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, Buffer.concat([open, intoTable("cookie", "a=b")])),
    );
    await flood(client, 1_500, (_at, stream) =>
      frame(
        Frame.HEADERS,
        Flag.END_HEADERS,
        stream + 2,
        Buffer.concat([open, Buffer.alloc(90, indexed(62))]),
      ),
    );
  },
  "header blocks that shrink and fill the table all the time": (client) => {
    const churn = Buffer.concat([
      ...Array(200).fill(Buffer.concat([sizeUpdate(0), sizeUpdate(4_096)])),
      open,
      ...Array.from({ length: 20 }, (_, at) => intoTable(`x-${at}`, "y".repeat(200))),
    ]);
    return flood(client, 500, (_at, stream) => frame(Frame.HEADERS, Flag.END_HEADERS, stream, churn));
  },
  "streams that are opened and never spoken of again": (client) => {
    const repeat = headerBlock(grpcFields(REPEAT));
    return flood(client, 2_500, (_at, stream) => frame(Frame.HEADERS, Flag.END_HEADERS, stream, repeat));
  },
};

/**
 * Ten connections at once are served in one turn of the event loop, 64 KiB of each. nghttp2 makes a copy of every
 * field that a header bomb refers to before anyone can count them.
 */
const TURN_MS = { node: 300, own: 100 };

describe.each(HTTP2_NAMES)("over %s HTTP/2 a flood of", (http2) => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({ listener: { http2 } });
    // Compile everything that a call needs before anything is measured.
    await new GoodCaller(server.url).stop(200);
  });
  afterAll(() => server.stop());

  it.each(Object.entries(FLOODS))(
    "%s costs little, and others are served meanwhile",
    async (_name, attack) => {
      await underAttack(server, { rssMiB: 64, handled: 1_000, turnMs: TURN_MS[http2] }, async () => {
        const attackers = await Promise.all(
          Array.from({ length: ATTACKERS }, () => RawH2.connect(server.port)),
        );
        await Promise.all(attackers.map(attack));
        for (const attacker of attackers) attacker.destroy();
      });
      // A new connection works.
      const fresh = await RawH2.connect(server.port);
      fresh.send(
        frame(Frame.HEADERS, Flag.END_HEADERS, 1, open),
        frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({})),
      );
      const ended = ({ type, flags }: { type: number; flags: number }) =>
        type === Frame.HEADERS && (flags & Flag.END_STREAM) !== 0;
      expect(await fresh.receive(ended)).toBeDefined();
      fresh.destroy();
    },
  );
});
