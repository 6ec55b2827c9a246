import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HTTP2_NAMES } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { SAY } from "../support/echo-service.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { Flag, Frame, frame, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { underAttack } from "../support/under-attack.ts";

type Fields = (readonly [name: string, value: string])[];

const PSEUDO: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", SAY],
  [":authority", "localhost"],
];
const REST: Fields = [
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];
const body = grpcBody({ text: "smuggled" });

const without = (name: string): Fields => [...PSEUDO.filter(([other]) => other !== name), ...REST];
const changed = (name: string, value: string): Fields => [
  ...PSEUDO.map(([other, old]) => [other, other === name ? value : old] as const),
  ...REST,
];
const and = (...fields: Fields): Fields => [...PSEUDO, ...REST, ...fields];

/**
 * Requests that HTTP/2 calls malformed (RFC 9113 §8.1.1), since somebody else might read another request in them: a
 * proxy that speaks HTTP/1.1 behind us, a log, a policy.
 */
const MALFORMED: Record<string, Fields> = {
  "no :method": without(":method"),
  "no :scheme": without(":scheme"),
  "no :path": without(":path"),
  "an empty :path": changed(":path", ""),
  "a :path that is no path": changed(":path", "localhost/"),
  "two :path": [...PSEUDO, [":path", "/other"], ...REST],
  "two :method": [...PSEUDO, [":method", "GET"], ...REST],
  "two :authority": [...PSEUDO, [":authority", "other"], ...REST],
  "a Host that is not :authority": and(["host", "other"]),
  "a pseudo-field of answers": [...PSEUDO, [":status", "200"], ...REST],
  "a pseudo-field that nobody knows": [...PSEUDO, [":secret", "1"], ...REST],
  "a pseudo-field behind a field": [...PSEUDO.slice(0, 3), ...REST, [":authority", "localhost"]],
  "a name in upper case": and(["X-Upper", "1"]),
  "Transfer-Encoding": and(["transfer-encoding", "chunked"]),
  Connection: and(["connection", "keep-alive"]),
  "Keep-Alive": and(["keep-alive", "1"]),
  "Proxy-Connection": and(["proxy-connection", "keep-alive"]),
  Upgrade: and(["upgrade", "h2c"]),
  "TE of anything but trailers": [...PSEUDO, ["content-type", "application/grpc"], ["te", "gzip"]],
  "a Content-Length below the body": and(["content-length", String(body.length - 1)]),
  "a Content-Length above the body": and(["content-length", String(body.length + 1)]),
  "two Content-Lengths": and(["content-length", String(body.length)], ["content-length", "1"]),
  "a Content-Length that is no number": and(["content-length", "0x10"]),
  "a signed Content-Length": and(["content-length", `+${body.length}`]),
};

/** Fields that are none. nghttp2 leaves them out of the request where our own HTTP/2 resets the stream. */
const ILLEGAL: Record<string, readonly [name: string, value: string]> = {
  "a name with a space": ["x y", "1"],
  "a name with a colon": ["x:y", "1"],
  "a name with a line break": ["x\r\ny", "1"],
  "a name with a NUL": ["x\0y", "1"],
  "a name of no length": ["", "1"],
  "a value with a line break": ["x-a", "1\r\nx-b: 2"],
  "a value with a bare LF": ["x-a", "1\nx-b: 2"],
  "a value with a NUL": ["x-a", "1\0"],
};

describe.each(HTTP2_NAMES)("over %s HTTP/2 a request with", (http2) => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({ listener: { http2 } });
    await new GoodCaller(server.url).stop(200);
  });
  afterAll(() => server.stop());

  /** Sends a request and gives the text that it is answered, or "refused". */
  async function call(fields: Fields, ...behind: Buffer[]): Promise<string> {
    const client = await RawH2.connect(server.port);
    client.send(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, headerBlock(fields)),
      ...(behind.length > 0 ? behind : [frame(Frame.DATA, Flag.END_STREAM, 1, body)]),
    );
    await client.receive(
      ({ type, flags }) =>
        type === Frame.RST_STREAM ||
        type === Frame.GOAWAY ||
        (type === Frame.HEADERS && (flags & Flag.END_STREAM) !== 0),
    );
    client.destroy();
    const data = client.frames.find(({ type }) => type === Frame.DATA);
    return data === undefined ? "refused" : data.payload.toString("latin1", 7);
  }

  it.each(Object.entries(MALFORMED))("%s runs nothing", async (_what, fields) => {
    const { handled } = await server.report();
    expect(await call(fields)).toBe("refused");
    expect((await server.report()).handled).toBe(handled);
  });

  it.each(Object.entries(ILLEGAL))("%s is refused, or nobody sees the field", async (_what, field) => {
    for (const seen of [field[0], "x", "x-a", "x-b", "y"]) {
      const ask = frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({ text: `header ${seen}` }));
      expect(["refused", "unseen"]).toContain(await call(and(field), ask));
    }
  });

  it.each([
    ["pseudo-fields", headerBlock([[":path", SAY]])],
    ["Transfer-Encoding", headerBlock([["transfer-encoding", "chunked"]])],
  ])("%s in its trailers runs nothing", async (_what, trailers) => {
    const { handled } = await server.report();
    const behind = [
      frame(Frame.DATA, 0, 1, body),
      frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, trailers),
    ];
    expect(await call(and(), ...behind)).toBe("refused");
    expect((await server.report()).handled).toBe(handled);
  });

  it("nothing wrong is answered: trailers, cookies in pieces, an exact Content-Length, Host in place of :authority", async () => {
    const trailers = frame(
      Frame.HEADERS,
      Flag.END_HEADERS | Flag.END_STREAM,
      1,
      headerBlock([["x-checksum", "1"]]),
    );
    expect(await call(and(), frame(Frame.DATA, 0, 1, body), trailers)).toBe("smuggled");
    expect(await call(and(["cookie", "a=b"], ["cookie", "c=d"]))).toBe("smuggled");
    expect(await call(and(["content-length", String(body.length)]))).toBe("smuggled");
    expect(await call([...without(":authority"), ["host", "localhost"]])).toBe("smuggled");
  });

  it("any of these faults, hundreds of times, leaves nothing behind", async () => {
    const faults = Object.values(MALFORMED).map(headerBlock);
    await underAttack(server, { rssMiB: 64, handled: 0, turnMs: 100 }, async () => {
      for (let round = 0; round < 15; round++) {
        const clients = await Promise.all(faults.map(() => RawH2.connect(server.port)));
        clients.forEach((client, at) => {
          client.send(
            frame(Frame.HEADERS, Flag.END_HEADERS, 1, faults[at] as Buffer),
            frame(Frame.DATA, Flag.END_STREAM, 1, body),
          );
        });
        const over = ({ type }: { type: number }) =>
          type === Frame.RST_STREAM || type === Frame.GOAWAY || type === Frame.HEADERS;
        await Promise.all(clients.map((client) => client.receive(over)));
        for (const client of clients) client.destroy();
      }
    });
  });
});
