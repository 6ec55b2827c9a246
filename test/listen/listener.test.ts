import { fork } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseListenAddress } from "../../src/listen/address.ts";
import { type Listener, type ListenerOptions, startListener } from "../../src/listen/listener.ts";
import type { TransportCall } from "../../src/listen/transport.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { CARRIERS } from "../support/carriers.ts";
import { type Echo, EchoService, echoRegistry, echoService, SAY } from "../support/echo-service.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

const say = EchoService.method["say"] as DescMethodUnary;
const tls = { cert: TEST_CERTIFICATE, key: TEST_KEY };

/** One after which the connection is kept, whoever carries it. */
const A_CALL = `POST ${SAY} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;

describe.each(CARRIERS)("startListener() over %s", (_name, carriers) => {
  const open: Listener[] = [];
  afterEach(() => Promise.all(open.splice(0).map((listener) => listener.close())));

  /** Serves the echo service and writes down who called. */
  async function serve(options: Partial<ListenerOptions> = {}) {
    const calls: Pick<TransportCall, "peer" | "secure" | "httpVersion">[] = [];
    const router = createRouter([echoService({ say: (message) => message })], { registry: echoRegistry });
    const listener = await startListener({ listen: "127.0.0.1:0", ...carriers, ...options }, (call) => {
      calls.push({ peer: call.peer, secure: call.secure, httpVersion: call.httpVersion });
      router(call);
    });
    open.push(listener);
    return { listener, calls, port: Number(listener.address.split(":").at(-1)) };
  }

  async function callEverything(scheme: "http" | "https", address: string): Promise<void> {
    const nodeOptions = { ca: TEST_CERTIFICATE };
    const baseUrl = `${scheme}://${address.replace("127.0.0.1", "localhost")}`;
    for (const transport of [
      createGrpcTransport({ baseUrl, nodeOptions }),
      createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions }),
      createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions }),
    ]) {
      const { message } = await transport.unary(say, undefined, undefined, undefined, { text: "hello" });
      expect((message as Echo).text).toBe("hello");
    }
  }

  it("serves HTTP/2 and HTTP/1.1 in clear text on one port", async () => {
    const { listener, calls } = await serve();
    await callEverything("http", listener.address);
    expect(calls.map(({ httpVersion }) => httpVersion)).toEqual(["2", "2", "1.1"]);
    for (const { peer, secure } of calls) {
      expect(peer).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(secure).toBe(false);
    }
  });

  it("serves TLS with ALPN, and clear text beside it, on one port", async () => {
    const { listener, calls } = await serve({ tls });
    await callEverything("https", listener.address);
    await callEverything("http", listener.address);
    expect(calls.map(({ secure }) => secure)).toEqual([true, true, true, false, false, false]);
    expect(calls.map(({ httpVersion }) => httpVersion)).toEqual(["2", "2", "1.1", "2", "2", "1.1"]);
  });

  it("refuses clear text where TLS is required, and a client that offers another protocol", async () => {
    const { listener, calls, port } = await serve({ tls: { ...tls, required: true } });
    await callEverything("https", listener.address);
    await expect(fetch(`http://${listener.address}${SAY}`, { method: "POST" })).rejects.toThrow();
    expect(calls).toHaveLength(3);
    const refused = await new Promise((resolve) => {
      const socket = connectTls({
        port,
        host: "127.0.0.1",
        ca: TEST_CERTIFICATE,
        servername: "localhost",
        ALPNProtocols: ["spdy/1"],
      });
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.on("secureConnect", () => resolve("connected"));
    });
    expect(refused).toBe("ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
  });

  it("does not speak TLS without a certificate, and lives on", async () => {
    const { listener, port } = await serve();
    const closed = await new Promise((resolve) => {
      const socket = connectTls({
        port,
        host: "127.0.0.1",
        servername: "localhost",
        rejectUnauthorized: false,
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(true));
    });
    expect(closed).toBe(true);
    await callEverything("http", listener.address);
  });

  it.each([
    ["a broken preface of HTTP/2, which ends unanswered", "INVALID CONNECTION PREFACE\r\n\r\n", /^$/],
    ["another protocol, which ends unanswered", "EHLO mail.example\r\n", /^$/],
    [
      "a method that nobody knows",
      "FETCH / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      /^HTTP\/1\.1 4\d\d /,
    ],
  ])("lives on after %s", async (_what, text, expected) => {
    const { listener, port } = await serve();
    const answer = await new Promise<string>((resolve) => {
      let read = "";
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        read += String(chunk);
      });
      socket.on("close", () => resolve(read));
      socket.write(text);
    });
    expect(answer).toMatch(expected);
    await callEverything("http", listener.address);
  });

  it("survives a TLS handshake that is rubbish", async () => {
    const { listener, port } = await serve({ tls });
    await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("close", resolve).resume();
      socket.write(Buffer.concat([Buffer.from([0x16, 3, 1, 0, 50]), Buffer.alloc(50, 0xee)]));
    });
    await callEverything("https", listener.address);
  });

  describe("on a Unix socket", () => {
    let directory: string;
    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), "lro-gateway-"));
    });
    afterEach(() => rmSync(directory, { recursive: true }));

    it("serves both protocols, and takes the place of a process that was killed", async () => {
      const path = join(directory, "gateway.sock");
      const script = join(directory, "listen.cjs");
      const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.send(0))`;
      writeFileSync(script, program);
      const killed = fork(script);
      await once(killed, "message");
      killed.kill("SIGKILL");
      await once(killed, "exit");
      expect(existsSync(path)).toBe(true);
      const { listener, calls } = await serve({ listen: `unix:${path}` });
      expect(listener.address).toBe(`unix:${path}`);
      const status = await new Promise((resolve) => {
        const request = httpRequest({
          socketPath: path,
          path: SAY,
          method: "POST",
          headers: { "content-type": "application/json" },
        });
        request.on("response", (response) => resolve(response.statusCode)).end("{}");
      });
      expect(status).toBe(200);
      const session = connectHttp2("http://localhost", { createConnection: () => connect(path) });
      const stream = session.request({ ":method": "POST", ":path": SAY, "content-type": "application/json" });
      stream.end("{}");
      const answered = await new Promise((resolve) =>
        stream.on("response", (headers) => resolve(headers[":status"])),
      );
      expect(answered).toBe(200);
      session.destroy();
      expect(calls.map(({ peer }) => peer)).toEqual(["unix", "unix"]);
      // A living one keeps its place.
      await expect(serve({ listen: `unix:${path}` })).rejects.toThrow(/something else listens there/);
    });

    it("never removes what is not a socket, and says why it cannot listen there", async () => {
      const file = join(directory, "precious.txt");
      writeFileSync(file, "data");
      const link = join(directory, "link");
      symlinkSync(file, link);
      for (const path of [file, link, directory])
        await expect(serve({ listen: `unix:${path}` })).rejects.toThrow(
          `cannot listen on unix:${path}: ${path} exists and is not a socket`,
        );
      expect(readFileSync(file, "utf8")).toBe("data");
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
    });

    it("speaks of paths, not of ports, when the path cannot be had", async () => {
      const failing = (path: string) =>
        expect(serve({ listen: `unix:${join(directory, path)}` })).rejects.toThrow;
      writeFileSync(join(directory, "file"), "");
      await failing("missing/gateway.sock")(/its directory does not exist, or this user may not write there/);
      await failing("file/gateway.sock")(/a part of its path is not a directory/);
      await failing("a".repeat(200))(/its path is too long for a socket/);
    });
  });

  it("says what to do when it cannot listen", async () => {
    const { listener } = await serve();
    const failing = (listen: string) => expect(startListener({ listen }, () => {})).rejects;
    await failing(listener.address).toThrow(/something else listens there/);
    await failing("8080").toThrow(/neither host:port .* nor unix:\/path/);
    await failing("127.0.0.1:70000").toThrow(/neither host:port/);
    await failing("192.0.2.1:0").toThrow(/this machine has no such address/);
    await failing("unix:").toThrow(/needs the path/);
  });

  it("closes connections above its limit as they come, and takes new ones when others have gone", async () => {
    const { listener, port } = await serve({ limits: { connections: 3 } });
    const sockets = Array.from({ length: 3 }, () => connect(port, "127.0.0.1"));
    const answered = sockets.map((socket) => new Promise((resolve) => socket.once("data", resolve)));
    for (const socket of sockets) socket.write(A_CALL);
    await Promise.all(answered);
    await expect(fetch(`http://${listener.address}/`)).rejects.toThrow();
    for (const socket of sockets) socket.destroy();
    while (listener.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await fetch(`http://${listener.address}/`)).status).toBe(404);
  });

  it.each([
    ["have said nothing", ""],
    ["are in the middle of a TLS handshake", "\x16\x03\x01\x02\x00\x01"],
    ["are in the middle of the preface of HTTP/2", "PRI * HT"],
    ["are in the middle of a header block", "POST / HTTP/1.1\r\nHost: a\r\nA: "],
  ])(
    "at its limit closes connections that %s, the oldest first, and none that has called",
    async (_what, bytes) => {
      const { listener, port } = await serve({ limits: { connections: 3 }, tls });
      const calling = connect(port, "127.0.0.1");
      const call = async () => {
        const answered = once(calling, "data");
        calling.write(A_CALL);
        expect(String((await answered)[0])).toMatch(/^HTTP\/1\.1 200 /);
      };
      await call();
      const closed: number[] = [];
      for (let at = 0; at < 5; at++) {
        const socket = connect(port, "127.0.0.1");
        socket
          .resume()
          .on("error", () => {})
          .on("close", () => closed.push(at));
        await once(socket, "connect");
        socket.write(bytes);
        // In this order, whatever the system makes of connections that come together.
        await expect.poll(() => closed.length).toBe(Math.max(at - 1, 0));
      }
      expect((await fetch(`http://${listener.address}/`)).status).toBe(404);
      await call();
      await expect.poll(() => closed).toEqual([0, 1, 2, 3]);
      expect(listener.connections).toBeLessThanOrEqual(3);
      calling.destroy();
    },
  );

  it("ends everything when it is closed", async () => {
    const { listener, port } = await serve();
    const socket = connect(port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    const session = connectHttp2(`http://${listener.address}`);
    session.on("error", () => {});
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const ends = [socket, session].map((end) => new Promise((resolve) => end.once("close", resolve)));
    await listener.close();
    await Promise.all(ends);
    await expect(fetch(`http://${listener.address}/`)).rejects.toThrow();
  });

  it("shows its certificate", async () => {
    const { port } = await serve({ tls });
    const subject = await new Promise((resolve) => {
      httpsRequest({ port, host: "localhost", ca: TEST_CERTIFICATE, path: "/" }, (response) => {
        const socket = response.socket;
        resolve(
          "getPeerCertificate" in socket
            ? (socket as import("node:tls").TLSSocket).getPeerCertificate().subject.CN
            : "",
        );
        response.resume();
      }).end();
    });
    expect(subject).toBe("localhost");
  });
});

describe("parseListenAddress()", () => {
  it.each([
    ["127.0.0.1:8080", { kind: "tcp", host: "127.0.0.1", port: 8080 }],
    ["[::1]:0", { kind: "tcp", host: "::1", port: 0 }],
    ["gateway.internal:443", { kind: "tcp", host: "gateway.internal", port: 443 }],
    ["unix:/run/gateway.sock", { kind: "unix", path: "/run/gateway.sock" }],
  ])("reads %s", (listen, address) => {
    expect(parseListenAddress(listen)).toEqual(address);
  });

  it.each([
    "",
    ":8080",
    "::1:80",
    "localhost",
    "localhost:",
    "localhost:http",
    "a b:1",
    "localhost:-1",
    "[::1]",
    "http://x:1",
  ])("refuses %j", (listen) => {
    expect(parseListenAddress(listen)).toHaveProperty("problem");
  });
});
