import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { gzipSync } from "node:zlib";

/** A request as it came over the wire. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The head, byte for byte, without the empty line. */
  readonly head: string;
  readonly body: string;
  /** Counts the server's connections from 1, so that reuse shows. */
  readonly connection: number;
  /** Milliseconds of `performance.now()` when its last byte came. */
  readonly at: number;
}

/** What the script may do with a request. Every method may be called late. */
export interface Reply {
  readonly socket: Socket;
  /** A whole answer; `content-length` is added unless given. */
  send(status: number, body?: string | Uint8Array, headers?: Readonly<Record<string, string>>): void;
  /** A whole JSON answer. */
  json(status: number, body: unknown, headers?: Readonly<Record<string, string>>): void;
  gzip(status: number, body: string | Uint8Array, headers?: Readonly<Record<string, string>>): void;
  /** Bytes as they are. */
  raw(bytes: string | Uint8Array): void;
  /** TCP RST, what a crashed peer or a firewall does. */
  reset(): void;
  /** FIN, what a peer in good order does. */
  end(): void;
  /** One byte each `everyMs`, until the socket closes. */
  drip(bytes: string, everyMs: number): void;
  /** Nothing, ever. */
  ignore(): void;
}

/** Answers one request; `n` counts them from 1. */
export type Script = (request: SeenRequest, reply: Reply, n: number) => void;

/**
 * An HTTP/1.1 server of sockets and strings that does exactly what its script says, right or wrong: the upstream,
 * token endpoint or proxy of a bad day.
 */
export class FaultServer {
  readonly requests: SeenRequest[] = [];
  connections = 0;
  /** When sockets closed, `performance.now()`. */
  readonly closedAt: number[] = [];
  script: Script;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly secure: boolean;

  private constructor(script: Script, tls: TlsOptions | undefined) {
    this.script = script;
    this.secure = tls !== undefined;
    const onSocket = (socket: Socket) => this.accept(socket);
    this.server = tls ? createTlsServer(tls, onSocket) : createTcpServer(onSocket);
    this.server.on("tlsClientError", () => {});
  }

  static async start(script: Script, tls?: TlsOptions): Promise<FaultServer> {
    const server = new FaultServer(script, tls);
    await new Promise<void>((resolve) => server.server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    const address = this.server.address();
    if (typeof address !== "object" || address === null) throw new Error("the server does not listen");
    return address.port;
  }

  get origin(): string {
    return `${this.secure ? "https" : "http"}://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private accept(socket: Socket): void {
    const connection = ++this.connections;
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.sockets.delete(socket);
      this.closedAt.push(performance.now());
    });
    let buffered = "";
    socket.on("data", (chunk) => {
      buffered += chunk.toString("latin1");
      for (;;) {
        const end = buffered.indexOf("\r\n\r\n");
        if (end < 0) return;
        const head = buffered.slice(0, end);
        const headers = parseHeaders(head);
        const length = Number(headers["content-length"] ?? 0);
        if (buffered.length < end + 4 + length) return;
        const body = buffered.slice(end + 4, end + 4 + length);
        buffered = buffered.slice(end + 4 + length);
        const [method = "", path = ""] = head.split(" ", 2);
        const request = { method, path, headers, head, body, connection, at: performance.now() };
        this.requests.push(request);
        this.script(request, new SocketReply(socket), this.requests.length);
      }
    });
  }
}

function parseHeaders(head: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of head.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return headers;
}

class SocketReply implements Reply {
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  send(status: number, body: string | Uint8Array = "", headers: Readonly<Record<string, string>> = {}): void {
    const bytes = typeof body === "string" ? Buffer.from(body) : Buffer.from(body);
    const all = { "content-length": String(bytes.length), ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.raw(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} X\r\n${lines.join("")}\r\n`, "latin1"), bytes]));
  }

  json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    this.send(status, JSON.stringify(body), {
      "content-type": "application/json; charset=UTF-8",
      ...headers,
    });
  }

  gzip(status: number, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): void {
    this.send(status, gzipSync(body), { "content-encoding": "gzip", ...headers });
  }

  raw(bytes: string | Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  end(): void {
    this.socket.end();
  }

  drip(bytes: string, everyMs: number): void {
    let at = 0;
    const timer = setInterval(() => {
      if (at >= bytes.length || this.socket.destroyed) clearInterval(timer);
      else this.socket.write(bytes[at++] ?? "");
    }, everyMs);
  }

  ignore(): void {}
}
