import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HTTP1_NAMES } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { SAY } from "../support/echo-service.ts";
import { GoodCaller } from "../support/good-caller.ts";
import { type Cost, underAttack } from "../support/under-attack.ts";

const ATTACKERS = 10;

const HEAD = `POST ${SAY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

/** What is sent first, and what is sent behind it again and again, for as long as the server takes it. */
interface Flood {
  readonly first?: string;
  readonly again: string;
  /** Bytes in all. */
  readonly bytes: number;
  /** What it costs where `node:http` is known to be worse. */
  readonly node?: Partial<Cost>;
}

const MB = 1_000_000;

/** `node:http` begins with every request that a read has brought, before anything else gets its turn. */
const ALL_AT_ONCE = { turnMs: 1_000, delayMs: 4_000, rssMiB: 256 };

const FLOODS: Record<string, Flood> = {
  "chunks of one byte": { first: CHUNKED, again: "1\r\n \r\n", bytes: MB / 2, node: ALL_AT_ONCE },
  "extensions of a chunk (CVE-2024-22019)": { first: `${CHUNKED}1;`, again: "x=y;", bytes: MB },
  "digits of a chunk's size": { first: CHUNKED, again: "0", bytes: MB },
  "trailers behind the last chunk": { first: `${CHUNKED}2\r\n{}\r\n0\r\n`, again: "x: y\r\n", bytes: MB },
  "bytes of a request line": { first: "POST /", again: "x", bytes: MB },
  "lines of a header block": { first: HEAD, again: "x: y\r\n", bytes: MB },
  "bytes of a field's name": { first: HEAD, again: "x", bytes: MB },
  "bytes of a field's value": { first: `${HEAD}x: `, again: "y", bytes: MB },
  "folded lines": { first: `${HEAD}x: y\r\n`, again: " y\r\n", bytes: MB },
  "empty lines": { again: "\r\n", bytes: MB },
  "bytes of a body that is longer than allowed": {
    first: `${HEAD}Content-Length: 4000000000\r\n\r\n`,
    again: " ",
    bytes: MB,
  },
  "requests that are no calls": {
    again: "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    bytes: MB / 40,
    node: ALL_AT_ONCE,
  },
  "requests that ask before they send": {
    again: `${HEAD}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n{`,
    bytes: MB / 40,
    node: ALL_AT_ONCE,
  },
  "requests whose length lies": { again: `${HEAD}Content-Length: 1\r\n\r\n{}`, bytes: MB / 10 },
};

async function flood(socket: Socket, { first = "", again, bytes }: Flood): Promise<void> {
  const piece = Buffer.from(again.repeat(Math.ceil(16_384 / again.length)), "latin1");
  socket.write(first);
  for (let sent = 0; sent < bytes && !socket.destroyed && socket.writable; sent += piece.length) {
    if (socket.write(piece)) continue;
    await new Promise<void>((resolve) => {
      socket.once("drain", resolve);
      socket.once("close", resolve);
    });
  }
}

describe.each(HTTP1_NAMES)("over %s HTTP/1.1 a flood of", (http1) => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({ listener: { http1 } });
    await new GoodCaller(server.url).stop(200);
  });
  afterAll(() => server.stop());

  it.each(Object.entries(FLOODS))("%s costs little, and others are served meanwhile", async (_what, what) => {
    const cost = { rssMiB: 64, handled: 0, turnMs: 100, ...(http1 === "node" && what.node) };
    await underAttack(server, cost, async () => {
      const sockets = await Promise.all(
        Array.from({ length: ATTACKERS }, async () => {
          const socket = connect(server.port, "127.0.0.1");
          socket.on("error", () => {});
          socket.on("data", () => {});
          await once(socket, "connect");
          return socket;
        }),
      );
      await Promise.all(sockets.map((socket) => flood(socket, what)));
      for (const socket of sockets) socket.destroy();
    });
    const answer = await fetch(server.url + SAY, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: "{}",
    });
    expect(answer.status).toBe(200);
    await answer.text();
  });
});
