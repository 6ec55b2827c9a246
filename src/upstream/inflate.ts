import { constants, createGunzip, gunzipSync } from "node:zlib";
import { SendFailure } from "./send-failure.ts";

/** Up to here inflating at once costs less than a worker of zlib's pool; above it would hold up other calls. */
const INFLATE_AT_ONCE_BYTES = 64 * 1024;

/**
 * Inflates a body by its `content-encoding`. Only gzip is ever asked for, once: a stack of encodings (CVE-2026-22036 in
 * undici was one) or an unknown one is malformed.
 *
 * @param limit the most bytes to inflate to; more is `too-large`
 * @param cut `true` for error bodies: whatever could be inflated counts, up to the limit, and nothing fails
 */
export function inflate(
  body: Uint8Array,
  encoding: string | undefined,
  limit: number,
  cut: boolean,
): Uint8Array | Promise<Uint8Array> {
  if (encoding === undefined || encoding === "" || body.length === 0) return body;
  const name = encoding.trim().toLowerCase();
  if (name === "identity") return body;
  if (name !== "gzip" && name !== "x-gzip") {
    if (cut) return new Uint8Array(0);
    throw new SendFailure("malformed", true, new Error("unknown content-encoding"));
  }
  if (cut) return inflateSome(body, limit);
  if (body.length > INFLATE_AT_ONCE_BYTES) return inflateAll(body, limit);
  try {
    return gunzipSync(body, { maxOutputLength: limit });
  } catch (error) {
    throw inflateFailure(error);
  }
}

function inflateFailure(error: unknown): SendFailure {
  const tooLarge = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
  return new SendFailure(tooLarge ? "too-large" : "malformed", true, error);
}

/** Inflates off the event loop's turn; stops at the limit instead of inflating a bomb to its end. */
function inflateAll(body: Uint8Array, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const gunzip = createGunzip();
    gunzip.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) gunzip.destroy(new SendFailure("too-large", true));
      else chunks.push(chunk);
    });
    gunzip.on("end", () => resolve(Buffer.concat(chunks, size)));
    gunzip.on("error", (error) => reject(error instanceof SendFailure ? error : inflateFailure(error)));
    gunzip.end(body);
  });
}

/** Inflates what can be inflated of a body that may be cut off, up to the limit. */
function inflateSome(body: Uint8Array, limit: number): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const gunzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
    const done = () => resolve(Buffer.concat(chunks, Math.min(size, limit)));
    gunzip.on("data", (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size >= limit) gunzip.destroy();
    });
    gunzip.on("error", done);
    gunzip.on("close", done);
    gunzip.end(body);
  });
}
