import { type AddressInfo, createServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";
import type { RestResponse } from "../../../src/lib/rest.ts";
import type { DispatcherOptions } from "../../../src/upstream/dispatcher.ts";
import { Sender } from "../../../src/upstream/send.ts";
import { FaultServer, type Script } from "../../support/fault-server.ts";
import { OpenCall } from "../../support/open-call.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../../support/tls.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function upstream(script: Script, options: Partial<DispatcherOptions> = {}, secure = false) {
  const tls = secure ? { cert: TEST_CERTIFICATE, key: TEST_KEY } : undefined;
  const server = await FaultServer.start(script, tls);
  const origin = secure ? server.origin.replace("127.0.0.1", "localhost") : server.origin;
  const sender = new Sender({ origin, limits: { connections: 1 }, ...options }, systemClock);
  cleanups.push(
    () => server.close(),
    () => sender.close(),
  );
  return { server, send: (body?: Uint8Array) => send(sender, body) };
}

function send(sender: Sender, body: Uint8Array | undefined): Promise<RestResponse> {
  return new Promise((onResponse, onFailure) => {
    sender.send({ verb: "POST", path: "/", body }, [], new OpenCall(), { onResponse, onFailure });
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("a connection to the upstream", () => {
  it("is closed when it has been unused for its time, and made again", async () => {
    const { server, send } = await upstream((_, reply) => reply.raw(OK), { timeouts: { keepAlive: 500 } });
    await send();
    const answered = performance.now();
    await until(() => server.open === 0);
    expect(server.closedAt[0]! - answered).toBeGreaterThan(200);
    expect((await send()).status).toBe(200);
    expect(server.connections).toBe(2);
  });

  it("is closed two seconds before the upstream would", async () => {
    const { server, send } = await upstream((_, reply) => reply.json(200, {}, { "keep-alive": "timeout=3" }));
    await send();
    const answered = performance.now();
    await until(() => server.open === 0);
    // After one second, less what a look every quarter of a second may be early by.
    expect(server.closedAt[0]! - answered).toBeGreaterThan(700);
  });

  it.each([
    ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=2\r\n\r\n{}"],
    ["HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
    // What is behind the answer would be taken for the next one.
    [`${OK}HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n`],
  ])("is not used again after %j", async (answer) => {
    const { server, send } = await upstream((_, reply, n) => reply.raw(n === 1 ? answer : OK));
    expect([(await send()).status, (await send()).status]).toEqual([200, 200]);
    expect(server.connections).toBe(2);
  });

  it("is closed when the upstream says something unasked", async () => {
    const { server, send } = await upstream((_, reply, n) => {
      reply.raw(OK);
      if (n === 1)
        setTimeout(() => reply.raw("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"), 20);
    });
    await send();
    await until(() => server.open === 0);
    expect((await send()).status).toBe(200);
  });

  it("is not used again when the answer came before the request had left", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      socket.on("error", () => {});
      if (++connections === 1) socket.pause().write(OK);
      else socket.on("data", () => socket.write(OK));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(async () => void server.close());
    const { send } = await upstream(() => {}, {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    // More than the kernel takes from one who sends and gives to one who does not read.
    expect((await send(Buffer.alloc(32 * 1024 * 1024))).status).toBe(200);
    expect((await send()).status).toBe(200);
    expect(connections).toBe(2);
  });

  it("sends bodies as they are", async () => {
    const { server, send } = await upstream((_, reply) => reply.raw(OK));
    await send(Buffer.from('{"name":"\u00e4"}'));
    expect(Buffer.from(server.requests[0]!.body, "latin1").toString()).toBe('{"name":"\u00e4"}');
  });

  it("resumes the session of the TLS connection before it, and asks for HTTP/1.1", async () => {
    const seen: { resumed: boolean; protocol: string | false | null; name: unknown }[] = [];
    const { send } = await upstream(
      (_, reply) => {
        const socket = reply.socket as TLSSocket & { servername?: unknown };
        seen.push({
          resumed: socket.isSessionReused(),
          protocol: socket.alpnProtocol,
          name: socket.servername,
        });
        reply.json(200, {}, { connection: "close" });
      },
      { tls: { ca: TEST_CERTIFICATE } },
      true,
    );
    for (let n = 0; n < 3; n++) expect((await send()).status).toBe(200);
    expect(seen.map(({ resumed }) => resumed)).toEqual([false, true, true]);
    expect(seen[0]).toMatchObject({ name: "localhost" });
  });
});
