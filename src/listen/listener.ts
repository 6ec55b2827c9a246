import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server, type Http2Session } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { acceptHttp1Request } from "./node-http1.ts";
import { acceptHttp2Stream } from "./node-http2.ts";
import { sniffProtocol } from "./sniff.ts";
import type { App } from "./transport.ts";

/** Where a listener listens. */
export interface ListenerOptions {
  /** `host:port`, with brackets around an IPv6 address; port 0 takes a free one. */
  readonly listen: string;
}

/** An open port. */
export interface Listener {
  /** `host:port` that is really listened on. */
  readonly address: string;
  /** Stops listening and ends all connections, whatever is under way on them. */
  close(): Promise<void>;
}

/**
 * Opens the one port of the gateway: HTTP/2 with prior knowledge and HTTP/1.1 in clear text, told apart by the first
 * bytes of each connection. Rejects with Node's error when the port cannot be had.
 */
export async function startListener(options: ListenerOptions, app: App): Promise<Listener> {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  const http2 = createHttp2Server({ settings: { maxConcurrentStreams: 100, enablePush: false } });
  http2.on("stream", acceptHttp2Stream(app));
  http2.on("session", (session) => {
    sessions.add(session);
    session.on("error", ignore);
    session.on("close", () => sessions.delete(session));
  });
  http2.on("sessionError", ignore);
  const http1 = createHttp1Server({ maxHeaderSize: 16_384 }, acceptHttp1Request(app));
  http1.on("clientError", (_error, socket) => {
    if (socket.writable)
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    else socket.destroy();
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", ignore);
    sniffProtocol(socket, (protocol) => (protocol === "h2" ? http2 : http1).emit("connection", socket));
  });
  const address = await listen(server, options.listen);
  return {
    address,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      http1.close();
      http2.close();
      await closed;
    },
  };
}

function listen(server: Server, where: string): Promise<string> {
  const [, host, port] = /^(.*):(\d+)$/.exec(where) ?? [];
  if (host === undefined) return Promise.reject(new Error(`listen: "${where}" is not host:port`));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: host.replace(/^\[|\]$/g, ""), port: Number(port) }, () => {
      server.removeListener("error", reject);
      const bound = server.address();
      resolve(typeof bound === "object" && bound ? `${host}:${bound.port}` : where);
    });
  });
}

function ignore(): void {}
