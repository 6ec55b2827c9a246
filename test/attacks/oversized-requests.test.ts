import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CARRIERS, HTTP2_NAMES } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { SAY } from "../support/echo-service.ts";
import { envelope } from "../support/encode-request.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { indexed, intoTable, notIntoTable } from "../support/hpack-writer.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { settled, underAttack } from "../support/under-attack.ts";

describe.each(CARRIERS)("over %s, a request that is too much", (_name, carriers) => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({ listener: carriers });
    await new GoodCaller(server.url).stop(200);
  });
  afterAll(() => server.stop());

  const endsInHeaders = (stream: number) => (frame: { type: number; flags: number; stream: number }) =>
    frame.type === Frame.HEADERS && frame.stream === stream && (frame.flags & Flag.END_STREAM) !== 0;

  /** Calls over HTTP/1.1 by a connection of its own. */
  function post(
    body: string | Uint8Array,
    headers: Record<string, string>,
  ): Promise<{ status: number | undefined; body: string }> {
    return new Promise((resolve, reject) => {
      const call = request(server.url + SAY, { method: "POST", headers, agent: false });
      call.on("error", reject);
      call.on("response", (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () =>
          resolve({ status: answer.statusCode, body: Buffer.concat(chunks).toString() }),
        );
        answer.on("error", reject);
      });
      call.end(body);
    });
  }

  const isReset = (stream: number) => (frame: { type: number; stream: number }) =>
    frame.type === Frame.RST_STREAM && frame.stream === stream;

  it("in 60,000 frames of one byte is refused, and the event loop stays free", async () => {
    const open = headerBlock(grpcFields(SAY));
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0x3f, 0xff]), Buffer.alloc(60_000, 1)]);
    await underAttack(server, { rssMiB: 64, handled: 0 }, async () => {
      const attackers = await Promise.all(Array.from({ length: 3 }, () => RawH2.connect(server.port)));
      await Promise.all(
        attackers.map(async (attacker) => {
          attacker.send(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open));
          for (let at = 0; at < bytes.length && !attacker.closed; at += 1_000) {
            const frames = Array.from(bytes.subarray(at, at + 1_000), (byte) =>
              frame(Frame.DATA, 0, 1, Buffer.from([byte])),
            );
            await attacker.sendAll(...frames);
          }
          // ENHANCE_YOUR_CALM, which gRPC clients read as RESOURCE_EXHAUSTED.
          expect((await attacker.receive(isReset(1)))?.payload.readUInt32BE()).toBe(11);
          attacker.destroy();
        }),
      );
    });
  });

  it("as a gzip bomb of 300 MB is refused, inflated no further than the limit", async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 2 ** 20), { level: 9 });
    expect(bomb.length).toBeLessThan(400_000);
    const small = gzipSync(Buffer.alloc(8 * 2 ** 20), { level: 9 });
    await underAttack(server, { rssMiB: 20, handled: 0 }, async () => {
      for (const body of [bomb, bomb.subarray(0, 16_384), small]) {
        const answer = await post(body, {
          "content-type": "application/proto",
          "content-encoding": "gzip",
        });
        expect(answer.status).toBe(429);
        expect(JSON.parse(answer.body)).toMatchObject({ code: "resource_exhausted" });
      }
      const grpc = await RawH2.connect(server.port);
      const block = headerBlock(grpcFields(SAY, [["grpc-encoding", "gzip"]]));
      grpc.send(
        frame(Frame.HEADERS, Flag.END_HEADERS, 1, block),
        frame(Frame.DATA, Flag.END_STREAM, 1, envelope(1, small)),
      );
      expect(await grpc.receive(endsInHeaders(1))).toBeDefined();
      grpc.destroy();
    });
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
        headers: { "content-type": type, connection: "close" },
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

  it("says that it will be of 4 GiB, and nothing is set aside for it", async () => {
    const open = headerBlock(grpcFields(SAY));
    await underAttack(server, { rssMiB: 32, handled: 0, turnMs: 100 }, async () => {
      const attackers = await Promise.all(Array.from({ length: 2 }, () => RawH2.connect(server.port)));
      for (const attacker of attackers)
        for (let stream = 1; stream < 200; stream += 2)
          attacker.send(
            frame(Frame.HEADERS, Flag.END_HEADERS, stream, open),
            frame(Frame.DATA, 0, stream, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])),
          );
      for (const attacker of attackers) {
        expect(await attacker.receive(endsInHeaders(199))).toBeDefined();
        attacker.destroy();
      }
    });
  });

  it.each([
    ["one field of 20 KB", [["x-large", "x".repeat(20_000)]]],
    ["one field of 70 KB", [["x-large", "x".repeat(70_000)]]],
    ["200 fields", Array.from({ length: 200 }, (_, at) => [`x-${at}`, "1"])],
  ] as const)("in its header block (%s) is refused, and others are served", async (_what, fields) => {
    const block = headerBlock(grpcFields(SAY, fields as [string, string][]));
    await underAttack(server, { rssMiB: 32, handled: 0 }, async () => {
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
      const http1 = await post("{}", headers).then(
        ({ status }) => status,
        () => "closed",
      );
      expect([431, "closed"]).toContain(http1);
      if (fields.length === 1) expect(http1).toBe(431);
    });
  });

  it("in its header block costs its stream only: the next call may refer to what the refused block said", async () => {
    const client = await RawH2.connect(server.port);
    const [, , , ...rest] = grpcFields(SAY);
    const large = Buffer.concat([
      headerBlock(grpcFields(SAY)),
      intoTable(":path", SAY),
      ...Array.from({ length: 150 }, (_, at) => notIntoTable(`x-${at}`, "1")),
    ]);
    const small = Buffer.concat([
      headerBlock([
        [":method", "POST"],
        [":scheme", "http"],
      ]),
      indexed(62),
      headerBlock(rest),
    ]);
    client.send(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, large),
      frame(Frame.HEADERS, Flag.END_HEADERS, 3, small),
      frame(Frame.DATA, Flag.END_STREAM, 3, grpcBody({ text: "x" })),
    );
    expect(await client.receive(isReset(1))).toBeDefined();
    expect(await client.receive(endsInHeaders(3))).toBeDefined();
    expect(client.frames.some(({ type, stream }) => type === Frame.DATA && stream === 3)).toBe(true);
    client.destroy();
  });

  it("of 8 KB in its header block is fine", async () => {
    const headers = {
      "content-type": "application/json",
      "x-large": "x".repeat(6_144),
      "x-data-bin": "A".repeat(344),
    };
    expect((await post("{}", headers)).status).toBe(200);
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

describe.each(HTTP2_NAMES)("over %s HTTP/2, 10,000 streams on one connection", (http2) => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({ listener: { http2 } });
    await new GoodCaller(server.url).stop(200);
  });
  afterAll(() => server.stop());

  it("are a hundred at a time; the others are refused in a way that clients try again", async () => {
    const block = headerBlock(grpcFields(SAY));
    await underAttack(server, { rssMiB: 64, handled: 0, turnMs: 100 }, async () => {
      const client = await RawH2.connect(server.port);
      await client.receive(({ type }) => type === Frame.SETTINGS);
      for (let at = 0; at < 10_000 && !client.closed; at += 100) {
        const streams = Array.from({ length: 100 }, (_, i) => 2 * (at + i) + 1);
        await client.sendAll(
          ...streams.map((stream) => frame(Frame.HEADERS, Flag.END_HEADERS, stream, block)),
        );
      }
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
      expect((await server.report()).openCalls).toBeLessThanOrEqual(100 + 2);
      client.destroy();
    });
  });
});

describe.each(CARRIERS)("over %s, a thousand connections that do nothing", (_name, carriers) => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({ listener: { ...carriers, limits: { connections: 900 } } });
    await new GoodCaller(server.url).stop(200);
  });
  afterAll(() => server.stop());

  it("cost a few KiB each, the oldest make room for others at the limit, and those who call keep their connections", async () => {
    const before = await server.report();
    const good = new GoodCaller(server.url);
    await good.started;
    const clients = await Promise.all(Array.from({ length: 1_000 }, () => RawH2.connect(server.port)));
    const served = await Promise.all(
      clients.map(
        async (client) => (await client.receive(({ type }) => type === Frame.SETTINGS)) !== undefined,
      ),
    );
    expect(served.filter(Boolean).length).toBeGreaterThan(880);
    // A caller who comes only now is served as well.
    await new GoodCaller(server.url).stop();
    const { connections, heldMiB } = await server.report();
    expect(connections).toBeLessThanOrEqual(900);
    expect(heldMiB - before.heldMiB).toBeLessThan(64);
    await good.stop(10);
    for (const client of clients) client.destroy();
    await settled(server, before);
    await new GoodCaller(server.url).stop();
  });
});
