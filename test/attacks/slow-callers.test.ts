import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HpackDecoder } from "../../src/listen/http2/hpack-decoder.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../src/listen/limits.ts";
import { DEFAULT_CALL_LIMITS } from "../../src/rpc/limits.ts";
import { CARRIERS } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import type { ServerReport } from "../support/echo-server.ts";
import { REPEAT, SAY } from "../support/echo-service.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { settled } from "../support/under-attack.ts";

/** Everything that may take its time is a tenth here of what it is by default. */
const FACTOR = 10;

/** How long a request may take to arrive; long enough for callers who behave on a busy machine. */
const ARRIVAL_MS = 1_000;

const call = headerBlock(grpcFields(SAY));

/** The header block that ends an answer. */
const endsIn = (stream: number) => (frame: { type: number; flags: number; stream: number }) =>
  frame.type === Frame.HEADERS && frame.stream === stream && (frame.flags & Flag.END_STREAM) !== 0;

describe.concurrent.each(CARRIERS)("over %s, a caller that is slow or silent", (_name, carriers) => {
  let server: ChildServer;
  let before: ServerReport;
  beforeAll(async () => {
    const { silentMs, headersMs, pingAfterMs, pingAnswerMs } = DEFAULT_LISTENER_LIMITS;
    server = await startEchoServer({
      listener: {
        ...carriers,
        limits: {
          silentMs: silentMs / FACTOR,
          headersMs: headersMs / FACTOR,
          pingAfterMs: pingAfterMs / FACTOR,
          pingAnswerMs: pingAnswerMs / FACTOR,
        },
      },
      limits: { requestArrivalMs: ARRIVAL_MS, answerStallMs: DEFAULT_CALL_LIMITS.answerStallMs / FACTOR },
    });
    await new GoodCaller(server.url).stop(100);
    before = await server.report();
  });
  afterAll(async () => {
    expect((await server.report()).longestTurnMs).toBeLessThan(100);
    await settled(server, before);
    server.stop();
  });

  /** Opens many connections of the kind, and expects that the server ends them all while others are served. */
  async function expectEnd(open: () => Promise<{ closed: Promise<unknown> }>): Promise<void> {
    const good = new GoodCaller(server.url);
    const connections = await Promise.all(Array.from({ length: 50 }, open));
    await Promise.all(connections.map(({ closed }) => closed));
    await good.stop(10);
  }

  async function h1(bytes: string, drip?: string): Promise<{ closed: Promise<unknown>; read: () => string }> {
    const socket: Socket = connect(server.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(bytes);
    const timer =
      drip === undefined ? undefined : setInterval(() => socket.writable && socket.write(drip), 50);
    return { closed: closed.finally(() => clearInterval(timer)), read: () => answer };
  }

  async function h2(...bytes: Buffer[]): Promise<{ client: RawH2; closed: Promise<void> }> {
    const client = await RawH2.connect(server.port);
    client.send(...bytes);
    return { client, closed: client.untilClosed() };
  }

  it("is closed when it never speaks", () => expectEnd(() => h1("")));

  it("is closed when it stops in the middle of the HTTP/2 preface", () =>
    expectEnd(() => h1("PRI * HTTP/2.0\r\n")));

  it("is closed when it sends the preface and no SETTINGS", () =>
    expectEnd(() => h1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));

  it("is closed when it stops in the middle of a frame", () =>
    expectEnd(() => h2(frame(1, 4, 1, call).subarray(0, 20))));

  it("is closed when it does not finish a header block", () =>
    expectEnd(() => h2(frame(Frame.HEADERS, 0, 1, call))));

  it("is closed when it drips a header block of HTTP/2", () =>
    expectEnd(async () => {
      const { client, closed } = await h2(frame(Frame.HEADERS, 0, 1, call));
      const timer = setInterval(() => client.send(frame(Frame.CONTINUATION, 0, 1)), 300);
      return { closed: closed.finally(() => clearInterval(timer)) };
    }));

  it("is answered 408 when it drips a header block of HTTP/1.1", async () => {
    const { closed, read } = await h1(`POST ${SAY} HTTP/1.1\r\nHost: localhost\r\n`, "X: y\r\n");
    await closed;
    expect(read()).toMatch(/^HTTP\/1\.1 408 /);
    await expectEnd(() => h1(`POST ${SAY} HTTP/1.1\r\nHost: localhost\r\n`, "X: y\r\n"));
  });

  it("is answered 504 when its body never comes over HTTP/1.1", async () => {
    const request = `POST ${SAY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n`;
    const { closed, read } = await h1(request);
    await closed;
    expect(read()).toMatch(/^HTTP\/1\.1 504 /);
    expect(read()).toContain('"code":"deadline_exceeded"');
    await expectEnd(() => h1(request, " "));
  });

  it("is answered by status 4 in a header block when its body never comes over HTTP/2", async () => {
    const good = new GoodCaller(server.url);
    const { client } = await h2();
    client.answersPings = true;
    for (let stream = 1; stream < 200; stream += 2)
      client.send(frame(Frame.HEADERS, Flag.END_HEADERS, stream, call));
    const answered = await client.receive(endsIn(199));
    expect(answered).toBeDefined();
    // And told to stop, without an error (RFC 9113 §8.1), when the rest does not come either.
    const stopped = await client.receive(({ type, stream }) => type === Frame.RST_STREAM && stream === 199);
    expect(stopped?.payload.readUInt32BE()).toBe(0);
    client.destroy();
    await good.stop(10);
  });

  it("is answered by status 4 when its body drips, over HTTP/2", async () => {
    const { client } = await h2(frame(Frame.HEADERS, Flag.END_HEADERS, 1, call));
    const drip = setInterval(() => client.send(frame(Frame.DATA, 0, 1, Buffer.from([0]))), 100);
    const answered = await client.receive(endsIn(1));
    clearInterval(drip);
    const list = new HpackDecoder().decode(answered?.payload as Buffer, DEFAULT_LISTENER_LIMITS);
    expect(list.slice(list.indexOf("grpc-status")).slice(0, 2)).toEqual(["grpc-status", "4"]);
    client.destroy();
  });

  it("is answered by status 4 at its own deadline when its body never comes", async () => {
    const start = performance.now();
    const { client } = await h2(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, headerBlock(grpcFields(SAY, [["grpc-timeout", "100m"]]))),
    );
    expect(await client.receive(endsIn(1))).toBeDefined();
    expect(performance.now() - start).toBeLessThan(ARRIVAL_MS);
    client.destroy();
  });

  it("is reset when it does not take a message of its stream", async () => {
    const reader = await RawH2.connect(server.port, { settings: [[4, 0]] });
    reader.answersPings = true;
    const body = grpcBody({ text: "unread" });
    const open = headerBlock(grpcFields(REPEAT));
    reader.send(frame(Frame.HEADERS, Flag.END_HEADERS, 1, open), frame(Frame.DATA, Flag.END_STREAM, 1, body));
    const reset = await reader.receive(({ type, stream }) => type === Frame.RST_STREAM && stream === 1);
    // ENHANCE_YOUR_CALM: what gRPC clients read as RESOURCE_EXHAUSTED.
    expect(reset?.payload.readUInt32BE()).toBe(11);
    reader.destroy();
  });

  it("may idle on a connection for ever as long as it answers a PING", async () => {
    const { client } = await h2();
    for (let i = 0; i < 2; i++) {
      const ping = await client.receive(({ type, flags }) => type === Frame.PING && (flags & Flag.ACK) === 0);
      expect(ping).toBeDefined();
      client.frames.length = 0;
      client.send(frame(Frame.PING, Flag.ACK, 0, ping?.payload));
    }
    client.send(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, call),
      frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({})),
    );
    expect(await client.receive(({ type }) => type === Frame.DATA)).toBeDefined();
    client.destroy();
  }, 20_000);
});

describe.each(CARRIERS)("over %s, a caller that does not read", (_name, carriers) => {
  let server: ChildServer;
  let before: ServerReport;
  beforeAll(async () => {
    server = await startEchoServer({
      listener: carriers,
      limits: {
        requestArrivalMs: ARRIVAL_MS,
        answerStallMs: DEFAULT_CALL_LIMITS.answerStallMs / (2 * FACTOR),
      },
    });
    await new GoodCaller(server.url).stop(100);
    before = await server.report();
  });
  afterAll(async () => {
    await settled(server, before);
    server.stop();
  });

  it("is reset when it does not take its answer, over HTTP/2 with a window of zero", async () => {
    const good = new GoodCaller(server.url);
    const before = (await server.report()).rssMiB;
    const SETTINGS_INITIAL_WINDOW_SIZE = 4;
    const readers = await Promise.all(
      Array.from({ length: 5 }, () =>
        RawH2.connect(server.port, { settings: [[SETTINGS_INITIAL_WINDOW_SIZE, 0]] }),
      ),
    );
    const body = grpcBody({ times: 50_000 });
    for (const reader of readers)
      for (let stream = 1; stream < 200; stream += 2)
        reader.send(
          frame(Frame.HEADERS, Flag.END_HEADERS, stream, call),
          frame(Frame.DATA, Flag.END_STREAM, stream, body),
        );
    for (const reader of readers) {
      const reset = await reader.receive(({ type, stream }) => type === Frame.RST_STREAM && stream === 199);
      expect(reset?.payload.readUInt32BE()).toBe(8);
    }
    await good.stop(10);
    const { rssMiB } = await server.report();
    expect(rssMiB - before).toBeLessThan(100);
    for (const reader of readers) reader.destroy();
  });

  it("is cut when it opens its windows and then does not read from its socket (CVE-2019-9517)", async () => {
    const good = new GoodCaller(server.url);
    const before = await server.report();
    const readers = await Promise.all(
      Array.from({ length: 5 }, () => RawH2.connect(server.port, { settings: [[4, 0x7fff_ffff]] })),
    );
    const body = grpcBody({ times: 64_000 });
    const window = Buffer.from([0x7f, 0, 0, 0]);
    for (const reader of readers) {
      reader.socket.pause();
      reader.send(frame(Frame.WINDOW_UPDATE, 0, 0, window));
      // As many as it may have open, and a hundred times as many in all.
      for (let stream = 1; stream < 20_000; stream += 2)
        reader.send(
          frame(Frame.HEADERS, Flag.END_HEADERS, stream, call),
          frame(Frame.DATA, Flag.END_STREAM, stream, body),
        );
    }
    await good.stop(10);
    const { rssMiB, openCalls } = await server.report();
    // 64 KB for each of a hundred streams of each reader are 32 MB.
    expect(rssMiB - before.rssMiB).toBeLessThan(128);
    expect(openCalls).toBeLessThanOrEqual(500);
    while ((await server.report()).openCalls > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    for (const reader of readers) reader.destroy();
  });

  it("is cut when it does not read its answers over HTTP/1.1, however many it has asked for", async () => {
    const good = new GoodCaller(server.url);
    const before = await server.report();
    const json = '{"times":64000}';
    const one = `POST ${SAY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`;
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    for (let i = 0; i < 6_000; i++) socket.write(one);
    // Only what the sockets' buffers hold is answered.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await good.stop(10);
    const during = await server.report();
    expect(during.rssMiB - before.rssMiB).toBeLessThan(64);
    expect(during.handled - before.handled).toBeLessThan(1_000);
    // A caller who does not read finds out that its connection was cut when it writes.
    const timer = setInterval(() => socket.write("\r\n"), 50);
    await closed;
    clearInterval(timer);
  });
});
