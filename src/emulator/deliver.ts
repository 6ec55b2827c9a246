import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { Clock } from "../lib/clock.ts";
import type { Delivery } from "./delivery.ts";
import type { EmulatorAnswer } from "./exchange.ts";

/** Bytes that are made at a time where a body is padded. */
const PADDING_CHUNK = 64 * 1024;

/** From the last byte to a reset, so that the client has read what came before it. */
const BEFORE_RESET_MS = 20;

/** Writes an answer to its client in the way that its delivery says. Resolves when all that will be sent is sent. */
export async function deliver(answer: EmulatorAnswer, response: ServerResponse, clock: Clock): Promise<void> {
  const { delivery } = answer;
  const { socket } = response;
  if (delivery.hang === "before-headers") return;
  if (delivery.reset === "before-headers") {
    socket?.resetAndDestroy();
    return;
  }
  if (delivery.raw !== undefined) {
    socket?.end(delivery.raw, "latin1");
    return;
  }
  const body = shapeBody(answer.body, delivery);
  const padding = delivery.gzip ? 0 : Math.max(0, (delivery.padTo ?? 0) - body.length);
  response.writeHead(answer.status, headersOf(answer, body.length + padding));
  if (delivery.hang === "after-headers") {
    response.flushHeaders();
    return;
  }
  if (delivery.reset !== undefined || delivery.truncate !== undefined) {
    return breakOff(response, body, delivery, clock);
  }
  if (delivery.drip) await drip(response, body, delivery.drip, clock);
  else if (padding > 0) response.write(body);
  await pad(response, padding);
  if (delivery.drip || padding > 0) response.end();
  else response.end(body);
}

/** Cuts, pads (where it is compressed afterwards) and compresses. */
function shapeBody(body: Uint8Array, delivery: Delivery): Uint8Array {
  let shaped = delivery.cut === undefined ? body : body.subarray(0, delivery.cut);
  if (!delivery.gzip) return shaped;
  if (delivery.padTo !== undefined && delivery.padTo > shaped.length) {
    const padded = new Uint8Array(delivery.padTo).fill(0x20);
    padded.set(shaped);
    shaped = padded;
  }
  for (let layer = 0; layer < delivery.gzip; layer++) shaped = gzipSync(shaped);
  return shaped;
}

function headersOf(answer: EmulatorAnswer, length: number): Record<string, string | number> {
  const { delivery, status } = answer;
  const headers: Record<string, string | number> = { ...answer.headers };
  if (delivery.gzip) headers["content-encoding"] = Array(delivery.gzip).fill("gzip").join(", ");
  if (delivery.headerBytes) headers["x-padding"] = "x".repeat(delivery.headerBytes);
  const hasBody = status !== 204 && status !== 304;
  if (delivery.contentLength !== undefined) headers["content-length"] = delivery.contentLength;
  else if (!delivery.chunked && hasBody && headers["content-length"] === undefined)
    headers["content-length"] = length;
  return headers;
}

/** Sends a part of the body, then resets or closes the connection. */
async function breakOff(
  response: ServerResponse,
  body: Uint8Array,
  delivery: Delivery,
  clock: Clock,
): Promise<void> {
  const { reset, truncate } = delivery;
  const bytes = typeof reset === "number" ? reset : reset === undefined ? (truncate ?? 0) : 0;
  const { socket } = response;
  response.flushHeaders();
  if (bytes > 0) await write(response, body.subarray(0, bytes));
  if (reset === undefined) {
    socket?.end();
    return;
  }
  await sleep(clock, BEFORE_RESET_MS);
  socket?.resetAndDestroy();
}

async function drip(
  response: ServerResponse,
  body: Uint8Array,
  { bytes, everyMs }: { readonly bytes: number; readonly everyMs: number },
  clock: Clock,
): Promise<void> {
  response.flushHeaders();
  for (let at = 0; at < body.length && !response.destroyed; at += bytes) {
    await write(response, body.subarray(at, at + bytes));
    await sleep(clock, everyMs);
  }
}

async function pad(response: ServerResponse, bytes: number): Promise<void> {
  const chunk = new Uint8Array(Math.min(bytes, PADDING_CHUNK)).fill(0x20);
  for (let left = bytes; left > 0 && !response.destroyed; left -= chunk.length) {
    await write(response, left < chunk.length ? chunk.subarray(0, left) : chunk);
  }
}

/** Writes and waits until the system has taken it, or the client is gone. */
function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) {
      resolve();
      return;
    }
    response.once("close", resolve);
    response.write(bytes, () => {
      response.off("close", resolve);
      resolve();
    });
  });
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(ms, resolve);
  });
}
