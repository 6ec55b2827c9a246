import { connect, type Socket } from "node:net";
import { pathOf, requestBodies, WIRES } from "../cells.ts";
import type { Load, LoadResult } from "./load.ts";

/** Generates load over HTTP/1.1, one call at a time on each connection, names and checks as in {@link http2Load}. */
export async function http1Load(load: Load): Promise<LoadResult> {
  const { contentType, headers } = WIRES[load.cell.carrier];
  const head = Object.entries({
    host: "localhost",
    "content-type": contentType,
    "user-agent": "bench/1",
    ...headers,
  })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  const requests = requestBodies(load.cell).map((body) =>
    Buffer.concat([
      Buffer.from(`POST ${pathOf(load.cell)} HTTP/1.1\r\n${head}content-length: ${body.length}\r\n\r\n`),
      body,
    ]),
  );
  const run: Run = { load, requests, at: 0, calls: 0, wrong: 0, end: performance.now() + load.ms };
  const started = performance.now();
  await Promise.all(Array.from({ length: load.connections }, () => drive(run)));
  return { calls: run.calls, wrong: run.wrong, seconds: (performance.now() - started) / 1000, latencies: [] };
}

interface Run {
  readonly load: Load;
  readonly requests: readonly Buffer[];
  readonly end: number;
  at: number;
  calls: number;
  wrong: number;
}

/** Sends one call after another over one connection until the time is over. */
function drive(run: Run): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port: run.load.port, host: "127.0.0.1", noDelay: true });
    const send = (): void => {
      socket.write(run.requests[run.at]!);
      run.at = (run.at + 1) % run.requests.length;
    };
    let text = "";
    socket.setEncoding("latin1");
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a connection")));
    socket.on("data", (chunk: string) => {
      text += chunk;
      const body = completeBody(text);
      if (body === undefined) return;
      run.calls++;
      if (!text.startsWith("HTTP/1.1 200 ") || body !== run.load.expected.toString("latin1")) run.wrong++;
      text = "";
      if (performance.now() < run.end) send();
      else {
        socket.removeAllListeners("close");
        socket.destroy();
        resolve();
      }
    });
    send();
  });
}

/** The body of an answer, once it is complete. */
function completeBody(text: string): string | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const body = text.slice(end + 4);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return body.length < Number(length) ? undefined : body;
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return body;
  if (!body.endsWith("0\r\n\r\n")) return undefined;
  let whole = "";
  for (let at = 0; ; ) {
    const line = body.indexOf("\r\n", at);
    const size = Number.parseInt(body.slice(at, line), 16);
    if (size === 0) return whole;
    whole += body.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}
