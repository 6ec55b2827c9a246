import { promisify } from "node:util";
import {
  brotliCompress,
  brotliDecompressSync,
  constants,
  gunzipSync,
  gzip,
  type ZlibOptions,
} from "node:zlib";
import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import { tooLarge } from "./envelope.ts";

/** A content coding, for messages of gRPC and whole bodies of Connect alike. */
export interface Compression {
  /** Its name in `grpc-encoding`, `content-encoding` and `connect-content-encoding`. */
  readonly name: string;
  /** Off the main thread: answers may be large. */
  compress(message: Uint8Array): Promise<Uint8Array>;
  /**
   * At once: the input is at most one small request. Inflates no more than `limit` bytes and throws
   * RESOURCE_EXHAUSTED above that, INVALID_ARGUMENT when the bytes are not of this coding. No bytes are an empty
   * message as they are (https://connectrpc.com/docs/protocol#unary-request).
   */
  decompress(message: Uint8Array, limit: number): Uint8Array;
}

const gzipAsync = promisify<Uint8Array, ZlibOptions, Buffer>(gzip);
const brotliAsync = promisify(brotliCompress);

/** RFC 1952. At the fastest level: JSON and protobuf lose a tenth in size to the default level, and win threefold in time. */
const GZIP: Compression = {
  name: "gzip",
  compress: (message) => gzipAsync(message, { level: constants.Z_BEST_SPEED }),
  decompress: (message, limit) =>
    inflate("gzip", message, limit, () => gunzipSync(message, { maxOutputLength: limit })),
};

/** RFC 7932, at a level that is as fast as gzip; the default level is made for files that are compressed once. */
const BROTLI: Compression = {
  name: "br",
  compress: (message) => brotliAsync(message, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  decompress: (message, limit) =>
    inflate("br", message, limit, () =>
      brotliDecompressSync(narrowWindow(message, limit), { maxOutputLength: limit }),
    ),
};

/**
 * The same stream with a window no larger than what may come out of it. A decoder fills its window before it gives
 * anything out, so 14 bytes cost 16 MiB and 30 ms, whatever the limit. Distances are counted from what has come out
 * so far, and mean the same in any window that holds all of it.
 *
 * RFC 7932 §9.1: windows of 2^18 to 2^24 bytes are written in the first four bits, as a 1 and the exponent less 17.
 */
function narrowWindow(message: Uint8Array, limit: number): Uint8Array {
  const first = message[0] ?? 0;
  const exponent = 17 + ((first >>> 1) & 7);
  // A window has 16 bytes less than its power of two.
  const needed = Math.max(18, Math.ceil(Math.log2(limit + 16)));
  if ((first & 1) === 0 || exponent <= needed) return message;
  const narrow = Buffer.from(message);
  narrow[0] = (first & 0xf0) | ((needed - 17) << 1) | 1;
  return narrow;
}

/** In the order in which they are offered. */
const COMPRESSIONS: readonly Compression[] = [GZIP, BROTLI];

/** The names of all codings, as `grpc-accept-encoding` and its kin list them. */
const COMPRESSION_NAMES: string = COMPRESSIONS.map(({ name }) => name).join(",");

/** Finds a coding by its name; `undefined` for one that is not known, and for `identity`. */
export function findCompression(name: string | undefined): Compression | undefined {
  return name === undefined ? undefined : COMPRESSIONS.find((known) => known.name === name);
}

/** How requests and answers of a call are compressed. */
export interface Negotiated {
  readonly request: Compression | undefined;
  readonly response: Compression | undefined;
  /** Set when the request has a coding that is not known. */
  readonly problem: ConnectError | undefined;
}

const NONE: Negotiated = { request: undefined, response: undefined, problem: undefined };

/**
 * Chooses the codings of a call. The answer takes the first coding that the caller accepts and we know; without a
 * list it takes that of the request. An unknown coding of the request is UNIMPLEMENTED, with what is known in the
 * metadata under `acceptHeader`.
 * https://github.com/grpc/grpc/blob/master/doc/compression.md, https://connectrpc.com/docs/protocol#unary-request
 */
export function negotiateCompression(
  encoding: string | undefined,
  accepted: string | undefined,
  acceptHeader: string,
): Negotiated {
  if (encoding === undefined && accepted === undefined) return NONE;
  const request = encoding === "identity" ? undefined : findCompression(encoding);
  const known = request !== undefined || encoding === undefined || encoding === "identity" || encoding === "";
  return {
    request,
    response: accepted ? firstAccepted(accepted) : request,
    problem: known ? undefined : unknownCompression(encoding, acceptHeader),
  };
}

function unknownCompression(encoding: string, acceptHeader: string): ConnectError {
  const message = `unknown compression "${encoding.slice(0, 40)}": supported are ${COMPRESSION_NAMES}`;
  const error = gatewayError("COMPRESSION_UNKNOWN", message);
  error.metadata.set(acceptHeader, COMPRESSION_NAMES);
  return error;
}

/** What was said for each `accept-encoding` so far. Clients send a handful of different ones. */
const acceptedBefore = new Map<string, Compression | undefined>();

/** Bound on {@link acceptedBefore}: the header is the caller's to write. */
const ACCEPTED_BEFORE_MAX = 64;

function firstAccepted(accepted: string): Compression | undefined {
  if (acceptedBefore.has(accepted)) return acceptedBefore.get(accepted);
  const names = accepted.split(",").map((item) => item.split(";").map((part) => part.trim()));
  const wanted = names.find(([name, weight]) => findCompression(name) && !/^q=0(\.0*)?$/.test(weight ?? ""));
  const found = findCompression(wanted?.[0]);
  if (acceptedBefore.size < ACCEPTED_BEFORE_MAX) acceptedBefore.set(accepted, found);
  return found;
}

function inflate(name: string, message: Uint8Array, limit: number, run: () => Buffer): Uint8Array {
  if (message.length === 0) return message;
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
      throw tooLarge(limit);
    throw gatewayError("REQUEST_MALFORMED", `the request is not the ${name} data that its headers promise`);
  }
}
