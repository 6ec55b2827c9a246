import { createServer, type Server, type Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OPERATION, open } from "../support/fault-upstream.ts";
import { OpenCall } from "../support/open-call.ts";

/**
 * An upstream that refused connections, or broke them off, once took the gateway down: a request that waited for a
 * connection was given the failed one while undici was still telling it of the failure, and undici's own assertion, which
 * nothing catches, ended the process.
 */

const uncaught: unknown[] = [];
const note = (error: unknown) => uncaught.push(error);
beforeEach(() => void process.on("uncaughtExceptionMonitor", note));
afterEach(() => void process.off("uncaughtExceptionMonitor", note));

async function listen(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => onConnection(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as { port: number }).port };
}

/** What 100 calls at once come to, on two connections. */
async function callAll(port: number): Promise<(Code | undefined)[]> {
  const upstream = open({ endpoint: `http://127.0.0.1:${port}`, credentials: "none", connections: 2 });
  const calls = Array.from({ length: 100 }, () =>
    upstream.api.get(OPERATION, new OpenCall({ timeoutMs: 3_000 })),
  );
  const results = await Promise.allSettled(calls);
  await upstream.close();
  return results.map((result) =>
    result.status === "rejected" ? ConnectError.from(result.reason).code : undefined,
  );
}

test("an upstream that refuses connections fails the calls, those that wait for a connection too, and nothing else", async () => {
  const { server, port } = await listen(() => {});
  await new Promise((resolve) => server.close(resolve));
  expect(new Set(await callAll(port))).toEqual(new Set([Code.Unavailable]));
  expect(uncaught).toEqual([]);
});

test("an upstream that breaks off every connection, and then is gone, does no more than that either", async () => {
  let connections = 0;
  const { server, port } = await listen((socket) => {
    setTimeout(() => socket.destroy(), 2);
    if (++connections === 20) server.close();
  });
  expect(new Set(await callAll(port))).toEqual(new Set([Code.Unavailable]));
  expect(uncaught).toEqual([]);
});
