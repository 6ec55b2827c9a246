import { gzipSync } from "node:zlib";
import { credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { SAY } from "../support/echo-service.ts";
import { envelope } from "../support/encode-request.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";

describe("a request that is too much", () => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer();
    await new GoodCaller(server.url).stop(200);
    await server.report();
  });
  afterAll(() => server.stop());

  const endsInHeaders = (stream: number) => (frame: { type: number; flags: number; stream: number }) =>
    frame.type === Frame.HEADERS && frame.stream === stream && (frame.flags & Flag.END_STREAM) !== 0;

  const isReset = (stream: number) => (frame: { type: number; stream: number }) =>
    frame.type === Frame.RST_STREAM && frame.stream === stream;

  it("in 60,000 frames of one byte is refused, and the event loop stays free", async () => {
    const good = new GoodCaller(server.url);
    const before = await server.report();
    const attackers = await Promise.all(Array.from({ length: 3 }, () => RawH2.connect(server.port)));
    const open = headerBlock(grpcFields(SAY));
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0x3f, 0xff]), Buffer.alloc(60_000, 1)]);
    await Promise.all(
      attackers.map(async (attacker) => {
        attacker.send(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open));
        for (let at = 0; at < bytes.length && !attacker.closed; at += 1_000) {
          const frames = Array.from(bytes.subarray(at, at + 1_000), (byte) =>
            frame(Frame.DATA, 0, 1, Buffer.from([byte])),
          );
          await attacker.sendAll(...frames);
        }
        await attacker.receive(isReset(1));
      }),
    );
    await good.stop(10);
    const { longestTurnMs, rssMiB, handled } = await server.report();
    expect(longestTurnMs).toBeLessThan(50);
    expect(rssMiB - before.rssMiB).toBeLessThan(64);
    for (const attacker of attackers) {
      // ENHANCE_YOUR_CALM, which gRPC clients read as RESOURCE_EXHAUSTED.
      expect(attacker.frames.find(isReset(1))?.payload.readUInt32BE()).toBe(11);
      attacker.destroy();
    }
    expect(handled).toBeLessThan(before.handled + 2_000);
  });

  it("as a gzip bomb of 300 MB is refused, inflated no further than the limit", async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 2 ** 20), { level: 9 });
    expect(bomb.length).toBeLessThan(400_000);
    const good = new GoodCaller(server.url);
    const before = await server.report();
    const headers = { "content-type": "application/proto", "content-encoding": "gzip" };
    const bombs = [bomb, bomb.subarray(0, 16_384), gzipSync(Buffer.alloc(8 * 2 ** 20), { level: 9 })];
    for (const body of bombs) {
      const answer = await fetch(server.url + SAY, { method: "POST", headers, body });
      expect(answer.status).toBe(429);
      expect(await answer.json()).toMatchObject({ code: "resource_exhausted" });
    }
    const grpc = await RawH2.connect(server.port);
    const block = headerBlock(grpcFields(SAY, [["grpc-encoding", "gzip"]]));
    const body = envelope(1, gzipSync(Buffer.alloc(8 * 2 ** 20), { level: 9 }));
    grpc.send(frame(Frame.HEADERS, Flag.END_HEADERS, 1, block), frame(Frame.DATA, Flag.END_STREAM, 1, body));
    expect(await grpc.receive(endsInHeaders(1))).toBeDefined();
    grpc.destroy();
    await good.stop(10);
    const { longestTurnMs, rssMiB } = await server.report();
    expect(longestTurnMs).toBeLessThan(50);
    expect(rssMiB - before.rssMiB).toBeLessThan(20);
  });

  it("reaches grpc-js, fetch over HTTP/1.1 and a raw caller as RESOURCE_EXHAUSTED, and none of them hangs", async () => {
    const large = grpcBody({ data: new Uint8Array(3_000_000) });
    const Client = makeGenericClientConstructor({}, "Echo");
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const error = await new Promise((resolve) => {
      const identity = (bytes: Buffer) => bytes;
      client.makeUnaryRequest(SAY, identity, identity, large.subarray(5), (error) => resolve(error));
    });
    client.close();
    expect(error).toMatchObject({ code: 8 });

    for (const [type, body] of [
      ["application/json", JSON.stringify({ text: "x".repeat(3_000_000) })],
      ["application/proto", large.subarray(5)],
    ] as const) {
      const answer = await fetch(server.url + SAY, {
        method: "POST",
        headers: { "content-type": type },
        body,
      });
      expect(answer.status).toBe(429);
      expect(await answer.json()).toMatchObject({ code: "resource_exhausted" });
    }

    const raw = await RawH2.connect(server.port);
    raw.send(frame(Frame.HEADERS, Flag.END_HEADERS, 1, headerBlock(grpcFields(SAY))));
    raw.send(
      frame(Frame.DATA, 0, 1, large.subarray(0, 16_384)),
      frame(Frame.DATA, 0, 1, large.subarray(0, 16_384)),
    );
    expect(await raw.receive(endsInHeaders(1))).toBeDefined();
    const reset = await raw.receive(({ type, stream }) => type === Frame.RST_STREAM && stream === 1);
    expect(reset?.payload.readUInt32BE()).toBe(0);
    raw.destroy();
  });

  it.each([
    ["one field of 20 KB", [["x-large", "x".repeat(20_000)]]],
    ["one field of 70 KB", [["x-large", "x".repeat(70_000)]]],
    ["200 fields", Array.from({ length: 200 }, (_, at) => [`x-${at}`, "1"])],
  ] as const)("in its header block (%s) is refused, and others are served", async (_what, fields) => {
    const good = new GoodCaller(server.url);
    const block = headerBlock(grpcFields(SAY, fields as [string, string][]));
    const client = await RawH2.connect(server.port);
    client.send(frame(Frame.HEADERS, 0, 1, block.subarray(0, 16_000)));
    for (let at = 16_000; at < block.length; at += 16_000)
      client.send(frame(Frame.CONTINUATION, 0, 1, block.subarray(at, at + 16_000)));
    client.send(
      frame(Frame.CONTINUATION, Flag.END_HEADERS, 1),
      frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({})),
    );
    const refused = await client.receive(({ type }) => type === Frame.RST_STREAM || type === Frame.GOAWAY);
    expect(refused !== undefined || client.closed).toBe(true);
    expect(client.frames.some(({ type }) => type === Frame.DATA)).toBe(false);
    client.destroy();
    const headers = {
      "content-type": "application/json",
      ...Object.fromEntries(fields as [string, string][]),
    };
    const http1 = await fetch(server.url + SAY, { method: "POST", headers, body: "{}" }).then(
      (answer) => answer.status,
      () => "closed",
    );
    if (fields.length === 1) expect(http1).toBe(431);
    await good.stop(10);
  });

  it("of 8 KB in its header block is fine", async () => {
    const headers = {
      "content-type": "application/json",
      "x-large": "x".repeat(6_144),
      "x-data-bin": "A".repeat(344),
    };
    expect((await fetch(server.url + SAY, { method: "POST", headers, body: "{}" })).status).toBe(200);
    const client = await RawH2.connect(server.port);
    const block = headerBlock(grpcFields(SAY, [["x-large", "x".repeat(6_144)]]));
    client.send(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, block),
      frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({})),
    );
    expect(await client.receive(({ type }) => type === Frame.DATA)).toBeDefined();
    client.destroy();
  });
});

describe("10,000 streams on one connection", () => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer();
  });
  afterAll(() => server.stop());

  it("are a hundred at a time; the others are refused in a way that clients try again", async () => {
    const good = new GoodCaller(server.url);
    const before = await server.report();
    const client = await RawH2.connect(server.port);
    const block = headerBlock(grpcFields(SAY));
    await client.receive(({ type }) => type === Frame.SETTINGS);
    for (let at = 0; at < 10_000 && !client.closed; at++)
      await client.sendAll(frame(Frame.HEADERS, Flag.END_HEADERS, 2 * at + 1, block));
    const settings = client.frames.find(({ type, flags }) => type === Frame.SETTINGS && flags === 0);
    const entries = new Map(
      Array.from({ length: (settings?.payload.length ?? 0) / 6 }, (_, at) => [
        settings?.payload.readUInt16BE(6 * at),
        settings?.payload.readUInt32BE(6 * at + 2),
      ]),
    );
    expect(entries.get(3)).toBe(100);
    expect(entries.get(6)).toBe(16_384);
    // Refused one by one (REFUSED_STREAM), or altogether, by a caller who has acknowledged the limit and breaks it.
    const refused = await client.receive(({ type }) => type === Frame.RST_STREAM || type === Frame.GOAWAY);
    expect(refused !== undefined || client.closed).toBe(true);
    for (const { payload } of client.frames.filter(({ type }) => type === Frame.RST_STREAM))
      expect([1, 7]).toContain(payload.readUInt32BE());
    const during = await server.report();
    expect(during.openCalls).toBeLessThanOrEqual(100 + 2);
    expect(during.rssMiB - before.rssMiB).toBeLessThan(64);
    await good.stop(10);
    client.destroy();
  });
});
