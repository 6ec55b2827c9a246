import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CARRIERS } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { SAY } from "../support/echo-service.ts";
import { GoodCaller } from "../support/good-caller.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";
import { underAttack } from "../support/under-attack.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HTTP1 = `POST ${SAY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`;

/** A TLS record (RFC 8446 §5.1) with any content. */
function record(type: number, content: Uint8Array, length = content.length): Buffer {
  const head = Buffer.from([type, 3, 1, 0, 0]);
  head.writeUInt16BE(length, 3);
  return Buffer.concat([head, content]);
}
const HANDSHAKE = 22;
const ALERT = 21;
const CHANGE_CIPHER_SPEC = 20;

describe.each(CARRIERS)("over %s and TLS, a client", (_name, carriers) => {
  const SILENT_MS = 2_000;
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({
      listener: {
        ...carriers,
        tls: { cert: TEST_CERTIFICATE, key: TEST_KEY },
        limits: {
          silentMs: SILENT_MS,
          headersMs: SILENT_MS,
          pingAfterMs: SILENT_MS,
          pingAnswerMs: SILENT_MS,
        },
      },
    });
    await new GoodCaller(server.url).stop(200);
    // And what TLS needs.
    for (let i = 0; i < 20; i++) await speak({ ALPNProtocols: ["http/1.1"] }, HTTP1);
  });
  afterAll(() => server.stop());

  /** Connects twenty times, and waits until the server has ended each of them. */
  async function twenty(open: () => Socket, begin: (socket: Socket) => void): Promise<string[]> {
    let answers: string[] = [];
    // Twenty handshakes in one turn are twenty signatures.
    await underAttack(server, { rssMiB: 64, handled: 0, turnMs: 200 }, async () => {
      answers = await Promise.all(Array.from({ length: 20 }, () => conversation(open(), begin)));
    });
    expect(await speak({ ALPNProtocols: ["http/1.1"] }, HTTP1)).toMatch(/^HTTP\/1\.1 200 /);
    return answers;
  }

  function conversation(socket: Socket, begin: (socket: Socket) => void): Promise<string> {
    return new Promise((resolve) => {
      let read = "";
      socket.on("data", (chunk: Buffer) => {
        read += chunk.toString("latin1");
      });
      socket.on("error", (error: NodeJS.ErrnoException) => {
        read += `<${error.code}>`;
      });
      socket.on("close", () => resolve(read));
      begin(socket);
    });
  }

  const tcp = () => connectTcp(server.port, "127.0.0.1");
  const tls = (options: ConnectionOptions) =>
    connectTls({
      port: server.port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: TEST_CERTIFICATE,
      ...options,
    });

  /** Says something within TLS and gives what comes back until the server closes. */
  const speak = (options: ConnectionOptions, text: string): Promise<string> =>
    conversation(tls(options), (socket) => socket.write(text));

  it("that offers nothing newer than TLS 1.1 is refused in the handshake", async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" } as const;
    for (const answer of await twenty(
      () => tls(old),
      () => {},
    ))
      expect(answer).toMatch(/^<E/);
  });

  it("that offers no protocol by ALPN speaks HTTP/1.1", async () => {
    expect(await speak({}, HTTP1)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("that agrees on HTTP/2 and speaks HTTP/1.1 runs nothing", async () => {
    for (const answer of await twenty(
      () => tls({ ALPNProtocols: ["h2"] }),
      (socket) => socket.write(HTTP1),
    ))
      expect(answer).not.toContain("HTTP/1.1 2");
  });

  it("that agrees on HTTP/1.1 and speaks HTTP/2 is not answered in HTTP/2", async () => {
    const answers = await twenty(
      () => tls({ ALPNProtocols: ["http/1.1"] }),
      (socket) => socket.write(PREFACE),
    );
    for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1\.1 (400|505) |$)/);
  });

  it.each<[string, (socket: Socket) => void]>([
    [
      "stops in the middle of its first record",
      (socket) => socket.write(record(HANDSHAKE, Buffer.alloc(20, 1), 200)),
    ],
    [
      "drips its first record",
      (socket) => {
        const bytes = record(HANDSHAKE, Buffer.alloc(400, 1));
        let at = 0;
        const timer = setInterval(() => socket.writable && socket.write(bytes.subarray(at, ++at)), 50);
        socket.on("close", () => clearInterval(timer));
      },
    ],
    ["begins with rubbish in a record", (socket) => socket.write(record(HANDSHAKE, Buffer.alloc(300, 0xee)))],
    [
      "begins with a record of more than may be",
      (socket) => socket.write(record(HANDSHAKE, Buffer.alloc(40_000, 1), 0xffff)),
    ],
    [
      "begins with 20,000 empty records",
      (socket) => socket.write(Buffer.concat(Array(20_000).fill(record(HANDSHAKE, Buffer.alloc(0))))),
    ],
    [
      "begins with 20,000 warnings",
      (socket) => socket.write(Buffer.concat(Array(20_000).fill(record(ALERT, Buffer.from([1, 90]))))),
    ],
    [
      "begins with 20,000 changes of the cipher",
      (socket) =>
        socket.write(Buffer.concat(Array(20_000).fill(record(CHANGE_CIPHER_SPEC, Buffer.from([1]))))),
    ],
    [
      "resets the connection within the handshake",
      (socket) => {
        socket.write(record(HANDSHAKE, Buffer.alloc(20, 1), 200), () => socket.resetAndDestroy());
      },
    ],
  ])("that %s is closed", async (_what, begin) => {
    await twenty(tcp, begin);
  });

  it("that says nothing after its handshake is closed", async () => {
    for (const protocol of ["h2", "http/1.1"])
      await twenty(
        () => tls({ ALPNProtocols: [protocol] }),
        () => {},
      );
  });

  it("that goes away without a word, in the middle of a call, leaves nothing behind", async () => {
    const half = HTTP1.slice(0, -1);
    await twenty(
      () => tls({ ALPNProtocols: ["http/1.1"] }),
      (socket) => socket.write(half, () => socket.destroy()),
    );
  });

  it("that negotiates again and again is cut (CVE-2011-1473)", async () => {
    const answers = await twenty(
      () => tls({ maxVersion: "TLSv1.2", ALPNProtocols: ["http/1.1"] }),
      (socket) => {
        const again = () =>
          (socket as TLSSocket).renegotiate({ rejectUnauthorized: false }, (error) => {
            if (!error && !socket.destroyed) again();
          });
        socket.once("secureConnect", again);
      },
    );
    for (const answer of answers) expect(answer).not.toContain("HTTP/1.1 2");
  });

  it.each([
    ["another name than the certificate's", "other.example"],
    ["no name", ""],
    ["a name of 250 characters", `${"a".repeat(60)}.`.repeat(4).slice(0, 250)],
    ["a name that is a path", "../../etc/passwd"],
  ])("that asks for %s gets the one certificate there is", async (_what, servername) => {
    const options = { servername, rejectUnauthorized: false, checkServerIdentity: () => undefined };
    expect(await speak({ ...options, ALPNProtocols: ["http/1.1"] }, HTTP1)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
