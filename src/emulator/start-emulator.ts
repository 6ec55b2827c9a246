import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { CONTROL_PREFIX, control } from "./control.ts";
import { mayControl } from "./control-guard.ts";
import { deliver } from "./deliver.ts";
import { createEmulator, type Emulator, type EmulatorAnswer, type EmulatorOptions } from "./emulator.ts";
import { frontEndPage } from "./front-end-page.ts";
import { parseQuery } from "./query.ts";
import { renderReply } from "./render-reply.ts";
import type { Reply } from "./reply.ts";

/** The largest request body that is read. Cancel has none; what starts an operation is far smaller. */
const MAX_REQUEST_BODY = 1024 * 1024;

/** An idle connection is kept so long: longer than a client that polls waits between two polls. */
const KEEP_ALIVE_MS = 240_000;

/** An emulator that listens. */
export interface RunningEmulator {
  /** Origin of the API, e.g. `http://127.0.0.1:40123`. */
  readonly endpoint: string;
  readonly emulator: Emulator;
  /** Stops listening and cuts every connection, also those that a fault holds open. */
  close(): Promise<void>;
}

/**
 * Serves an emulator over HTTP/1.1.
 *
 * `listen` is `host:port` (an IPv6 host in brackets); port 0 takes a free one. Rejects with the system's error
 * (`EADDRINUSE`, `EACCES`) when it cannot listen, and with a RangeError when `listen` or a setting is malformed.
 */
export async function startEmulator(
  options: EmulatorOptions & { readonly listen: string },
): Promise<RunningEmulator> {
  const { host, port } = parseListen(options.listen);
  const emulator = createEmulator(options);
  const connections = new WeakMap<Socket, number>();
  let connected = 0;
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const number = connections.get(request.socket) ?? 0;
    serve(emulator, request, response, number).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  server.on("connection", (socket) => connections.set(socket, ++connected));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo; // A TCP server that listens has one.
  const literal = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    endpoint: `http://${literal}:${address.port}`,
    emulator,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  emulator: Emulator,
  request: IncomingMessage,
  response: ServerResponse,
  connection: number,
): Promise<void> {
  const { method: verb = "GET", url: target = "/" } = request;
  const body = await readBody(request);
  if (body === undefined) return; // The client is gone; there is nobody to answer.
  const headers = plainHeaders(request);
  if (body === "too large") {
    response.shouldKeepAlive = false;
    return deliver(plain(frontEndPage(413, target, verb)), response, emulator.clock);
  }
  const isControl = target === CONTROL_PREFIX || /^[/?]/.test(afterPrefix(target));
  if (isControl && mayControl({ remoteAddress: request.socket.remoteAddress, headers })) {
    return deliver(plain(control(emulator, verb, target, body)), response, emulator.clock);
  }
  const answer = await emulator.handle({
    verb,
    target,
    headers,
    body,
    connection,
    onAbort(listener) {
      response.once("close", () => {
        if (!response.writableFinished) listener();
      });
    },
  });
  if (!response.destroyed) await deliver(answer, response, emulator.clock);
}

/** What follows the prefix of the control endpoint; `-` where the target does not begin with it. */
function afterPrefix(target: string): string {
  return target.startsWith(CONTROL_PREFIX) ? target.slice(CONTROL_PREFIX.length) : "-";
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | "too large" | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > MAX_REQUEST_BODY) return "too large";
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function plainHeaders(request: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : value,
    ]),
  );
}

function plain(reply: Reply): EmulatorAnswer {
  return { ...renderReply(reply, parseQuery("")), delivery: {} };
}

function parseListen(listen: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen);
  const port = Number(match?.[3]);
  if (!match || port > 65535) {
    throw new RangeError(
      `listen must be host:port, for example 127.0.0.1:9090, got ${JSON.stringify(listen)}`,
    );
  }
  return { host: match[1] ?? match[2] ?? "", port };
}
