import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createEmulator, type Emulator, type EmulatorOptions } from "./emulator.ts";
import { frontEndPage } from "./front-end-page.ts";

/** The largest request body that is read. Cancel has none; what starts an operation is far smaller. */
export const MAX_REQUEST_BODY = 1024 * 1024;

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
 * `listen` is `host:port` (an IPv6 host in brackets); port 0 takes a free one. Rejects with the system's error (`EADDRINUSE`, `EACCES`) when it cannot listen, and with a RangeError when `listen` is malformed.
 */
export async function startEmulator(
  options: EmulatorOptions & { readonly listen: string },
): Promise<RunningEmulator> {
  const { host, port } = parseListen(options.listen);
  const emulator = createEmulator(options);
  const server = createServer((request, response) => void serve(emulator, request, response));
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

async function serve(emulator: Emulator, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length <= MAX_REQUEST_BODY) chunks.push(chunk);
    }
  } catch {
    return; // The client is gone; there is nobody to answer.
  }
  if (length > MAX_REQUEST_BODY) {
    const page = frontEndPage(413);
    response.writeHead(413, { "content-type": "text/html; charset=UTF-8", connection: "close" });
    response.end(page.content.type === "bytes" ? page.content.bytes : undefined);
    return;
  }
  const answer = await emulator.handle({
    verb: request.method ?? "GET",
    target: request.url ?? "/",
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(", ") : value,
      ]),
    ),
    body: Buffer.concat(chunks),
  });
  response.writeHead(answer.status, { ...answer.headers, "content-length": answer.body.length });
  response.end(answer.body);
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
