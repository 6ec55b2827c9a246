import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { SAY } from "../support/echo-service.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";

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

/** Each is thrown at the server by several connections at once. */
const FLOODS: Record<string, (client: RawH2) => Promise<void>> = {
  "rapid reset": (client) =>
    flood(client, 20_000, (_at, stream) =>
      Buffer.concat([
        frame(Frame.HEADERS, Flag.END_HEADERS, stream, open),
        frame(Frame.RST_STREAM, 0, stream, number32(8)),
      ]),
    ),
  "streams that make the server reset (WINDOW_UPDATE of 0)": (client) =>
    flood(client, 20_000, (_at, stream) =>
      Buffer.concat([
        frame(Frame.HEADERS, Flag.END_HEADERS, stream, open),
        frame(Frame.WINDOW_UPDATE, 0, stream, number32(0)),
      ]),
    ),
  "streams that depend on themselves": (client) =>
    flood(client, 20_000, (_at, stream) =>
      Buffer.concat([
        frame(Frame.HEADERS, Flag.END_HEADERS, stream, open),
        frame(Frame.PRIORITY, 0, stream, Buffer.concat([number32(stream), Buffer.from([16])])),
      ]),
    ),
  "DATA behind the end of its stream": (client) =>
    flood(client, 20_000, (_at, stream) =>
      Buffer.concat([
        frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, open),
        frame(Frame.DATA, 0, stream, Buffer.from("x")),
      ]),
    ),
  "a header block that goes on and on": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, 0, 1, open));
    await flood(client, 20_000, () =>
      frame(Frame.CONTINUATION, 0, 1, headerBlock([["x-more", "x".repeat(200)]])),
    );
  },
  "empty CONTINUATION frames": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, 0, 1, open));
    await flood(client, 50_000, () => frame(Frame.CONTINUATION, 0, 1));
  },
  SETTINGS: (client) => flood(client, 50_000, () => frame(Frame.SETTINGS, 0, 0)),
  PING: (client) => flood(client, 50_000, () => frame(Frame.PING, 0, 0, Buffer.alloc(8))),
  PRIORITY: (client) =>
    flood(client, 50_000, (_at, stream) =>
      frame(Frame.PRIORITY, 0, stream, Buffer.concat([number32(0), Buffer.from([1])])),
    ),
  "empty DATA": async (client) => {
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open));
    await flood(client, 50_000, () => frame(Frame.DATA, 0, 1));
  },
  "a header bomb (one long field, referred to again and again)": async (client) => {
    // The first request puts the field into the table; each byte 0xbe then stands for 4,000.
    const long = Buffer.concat([
      Buffer.from([0x40]),
      headerBlock([["x-bomb", "x".repeat(3_900)]]).subarray(1),
    ]);
    await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 1, Buffer.concat([open, long])));
    await flood(client, 2_000, (_at, stream) =>
      frame(Frame.HEADERS, Flag.END_HEADERS, stream + 2, Buffer.concat([open, Buffer.alloc(300, 0xbe)])),
    );
  },
};

describe("an HTTP/2 flood of", () => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer();
    // Compile everything that a call needs before anything is measured.
    await new GoodCaller(server.url).stop(200);
    await server.report();
  });
  afterAll(() => server.stop());

  it.each(Object.entries(FLOODS))(
    "%s costs little, and others are served meanwhile",
    async (_name, attack) => {
      const good = new GoodCaller(server.url);
      const before = await server.report();
      const attackers = await Promise.all(Array.from({ length: 4 }, () => RawH2.connect(server.port)));
      await Promise.all(attackers.map(attack));
      await good.stop(10);
      const { longestTurnMs, rssMiB, handled } = await server.report();
      for (const attacker of attackers) attacker.destroy();
      expect({
        idle: handled - before.handled < 1_000,
        calm: longestTurnMs < 100,
        small: rssMiB - before.rssMiB < 64,
      }).toEqual({
        idle: true,
        calm: true,
        small: true,
      });
      // The connection of the attacker is gone or of no more use; a new one works.
      const fresh = await RawH2.connect(server.port);
      fresh.send(
        frame(Frame.HEADERS, Flag.END_HEADERS, 1, open),
        frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({})),
      );
      expect(
        await fresh.receive(({ type, flags }) => type === Frame.HEADERS && (flags & Flag.END_STREAM) !== 0),
      ).toBeDefined();
      fresh.destroy();
    },
  );
});
