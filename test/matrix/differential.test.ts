/**
 * The lean path and connect-es' handlers prove each other: the same generated requests, well-formed and not, go to
 * both, and what leaves has to mean the same, down to the bytes of messages, details and metadata. Where they differ
 * on purpose, {@link expectedDifference} says why. 1,000 requests by default; `DIFFERENTIAL_RUNS=50000` for all.
 */
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { createRouter } from "../../src/rpc/router.ts";
import {
  EchoSchema,
  echo,
  echoRegistry,
  echoService,
  LOOK,
  MISSING,
  REPEAT,
  SAY,
  streamOf,
} from "../support/echo-service.ts";
import { encode, envelope, envelopes } from "../support/encode-request.ts";
import { callInMemory, type MemoryAnswer } from "../support/in-memory.ts";

const RUNS = Number(process.env["DIFFERENTIAL_RUNS"] ?? 1_000);

/** Whether the handler was reached: what is said before that is said in each way's own words. */
let reached = false;

const service = echoService({
  say: (message, call) => {
    reached = true;
    call.responseTrailer.set("x-tail", "1");
    if (message.times > 0) {
      const error = new ConnectError(message.text, message.times, { "x-error": "2" });
      error.details.push({ desc: ErrorInfoSchema, value: { reason: message.text, domain: "test" } });
      throw error;
    }
    call.responseHeader.set("x-head", "0");
    return message;
  },
  look: (message) => {
    reached = true;
    return message;
  },
  repeat: ({ text, times, data }, call) => {
    reached = true;
    call.responseTrailer.set("x-tail", "1");
    const count = Math.min(Math.abs(times), 4);
    return streamOf(
      Array.from({ length: count }, () => echo({ text, data })),
      times < 0 ? { error: new ConnectError(text, Code.Aborted) } : {},
    );
  },
});
const options = { registry: echoRegistry, limits: { compressMinBytes: 1_024 } };
const lean = createRouter([service], options);
const stock = createRouter([service], { ...options, allThroughConnectEs: true });

const CODINGS = {
  gzip: { compress: (bytes: Buffer) => gzipSync(bytes), inflate: (bytes: Buffer) => gunzipSync(bytes) },
  br: {
    compress: (bytes: Buffer) => brotliCompressSync(bytes),
    inflate: (bytes: Buffer) => brotliDecompressSync(bytes),
  },
};

type Protocol = "grpc" | "grpc-web" | "connect" | "connect-stream";

interface Plan {
  readonly protocol: Protocol;
  readonly json: boolean;
  readonly target: string;
  readonly verb: string;
  readonly message: { text: string; times: number; size: number };
  readonly coding: "gzip" | "br" | "identity" | "lzma" | undefined;
  readonly accept: string | undefined;
  readonly timeout: string | undefined;
  readonly damage: "none" | "cut" | "doubled" | "nothing" | "flags" | "claim" | "noise" | "uncompressed flag";
  readonly pieces: number;
  readonly contentType: string | undefined;
}

const plans: fc.Arbitrary<Plan> = fc.record({
  protocol: fc.constantFrom("grpc", "grpc-web", "connect", "connect-stream"),
  json: fc.boolean(),
  target: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(SAY, LOOK, REPEAT) },
    fc.constantFrom(MISSING, "/test.v1.EchoService/Nothing", "/else"),
  ),
  verb: fc.oneof(
    { weight: 20, arbitrary: fc.constant("POST") },
    fc.constantFrom("GET", "PUT", "DELETE", "OPTIONS", "HEAD"),
  ),
  message: fc.record({
    text: fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: "grapheme", maxLength: 20 })),
    times: fc.oneof(fc.constant(0), fc.integer({ min: -5, max: 16 })),
    size: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 0, max: 3_000 }),
      fc.constantFrom(16_300, 16_384, 20_000),
    ),
  }),
  coding: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    fc.constantFrom("gzip", "br", "identity", "lzma"),
  ),
  accept: fc.oneof(
    fc.constant(undefined),
    fc.constantFrom("gzip", "br", "br,gzip", "identity", "zstd, gzip", ""),
  ),
  timeout: fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    fc.constantFrom("1000", "0", "-1", "9999999999", "1e3", "", "soon", "99999999"),
  ),
  damage: fc.oneof(
    { weight: 6, arbitrary: fc.constant("none") },
    fc.constantFrom("cut", "doubled", "nothing", "flags", "claim", "noise", "uncompressed flag"),
  ),
  pieces: fc.integer({ min: 1, max: 5 }),
  contentType: fc.oneof(
    { weight: 15, arbitrary: fc.constant(undefined) },
    fc.constantFrom(
      "",
      "text/plain",
      "application/grpc+xml",
      "application/JSON; charset=utf-8",
      "application/grpc-web-text",
      "application/x",
    ),
  ),
}) as fc.Arbitrary<Plan>;

/** The request that a plan describes. */
function requestOf(plan: Plan) {
  const { protocol, json, coding, accept, timeout, damage } = plan;
  const { text, times, size } = plan.message;
  const codec = json ? "json" : "proto";
  const plain = encode(
    EchoSchema,
    echo({ text: text.toWellFormed(), times, data: Buffer.alloc(size, "ab") }),
    codec,
  );
  const compress = coding === "gzip" || coding === "br" ? CODINGS[coding].compress : undefined;
  let message = compress ? compress(plain) : plain;
  if (damage === "noise")
    message = Buffer.from(message.map((byte, at) => (at % 3 === 1 ? 255 - byte : byte)));
  let body = message;
  if (protocol !== "connect") {
    const flags = damage === "flags" ? 0b0111_0000 : damage === "uncompressed flag" ? 1 : compress ? 1 : 0;
    body = envelope(flags, message);
    if (damage === "claim") body.writeUInt32BE(0xffff_fff0, 1);
  }
  if (damage === "cut") body = body.subarray(0, Math.floor(body.length / 2));
  if (damage === "doubled") body = Buffer.concat([body, body]);
  if (damage === "nothing") body = Buffer.alloc(0);
  const types = {
    grpc: "application/grpc",
    "grpc-web": "application/grpc-web",
    connect: "application",
    "connect-stream": "application/connect",
  };
  const prefix = {
    grpc: "grpc-",
    "grpc-web": "grpc-",
    connect: "content-",
    "connect-stream": "connect-content-",
  }[protocol];
  const acceptName = {
    grpc: "grpc-accept-",
    "grpc-web": "grpc-accept-",
    connect: "accept-",
    "connect-stream": "connect-accept-",
  }[protocol];
  const grpcUnit = timeout && /^-?\d+$/.test(timeout) ? `${timeout.slice(0, 8)}m` : timeout;
  const headers: Record<string, string> = {
    "x-request-id": "of-the-plan",
    ...((plan.verb !== "GET" || plan.protocol !== "connect" || plan.contentType !== undefined) && {
      "content-type": plan.contentType ?? `${types[protocol]}${protocol === "connect" ? "/" : "+"}${codec}`,
    }),
    ...(coding !== undefined && { [`${prefix}encoding`]: coding }),
    ...(accept !== undefined && { [`${acceptName}encoding`]: accept }),
    ...(timeout !== undefined &&
      (protocol.startsWith("grpc") ? { "grpc-timeout": grpcUnit ?? "" } : { "connect-timeout-ms": timeout })),
  };
  const step = Math.max(1, Math.ceil(body.length / plan.pieces));
  const pieces = Array.from({ length: Math.ceil(body.length / step) }, (_, at) =>
    body.subarray(at * step, (at + 1) * step),
  );
  const query =
    plan.verb === "GET" ? `?encoding=${codec}&base64=1&message=${plain.toString("base64url")}` : "";
  return { verb: plan.verb, target: plan.target + query, headers, body: pieces };
}

/** What an answer means, whatever bytes it took to say it. */
interface Meaning {
  readonly http: number;
  readonly contentType: string;
  readonly code: number;
  readonly text: string;
  readonly details: readonly string[];
  readonly messages: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

const PROTOCOL_HEADERS =
  /^(content-type|content-length|content-encoding|(grpc|connect-content|connect-accept|grpc-accept|accept)-encoding|grpc-.*|retry-after|allow|accept-post|lro-error-layer|connect-content-encoding)$/;

function metadataOf(...blocks: (Readonly<Record<string, unknown>> | undefined)[]): Record<string, string> {
  const found = blocks.flatMap((block) => Object.entries(block ?? {}));
  return Object.fromEntries(
    found
      .map(([name, value]): [string, string] => [name.replace(/^trailer-/, ""), String(value)])
      .filter(([name]) => !PROTOCOL_HEADERS.test(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function statusOf(block: Readonly<Record<string, unknown>>): Pick<Meaning, "code" | "text" | "details"> {
  const bin = block["grpc-status-details-bin"];
  const status = bin ? fromBinary(StatusSchema, Buffer.from(String(bin), "base64")) : undefined;
  const details =
    status?.details.map(({ typeUrl, value }) => `${typeUrl} ${Buffer.from(value).toString("hex")}`) ?? [];
  const text = decodeURIComponent(String(block["grpc-message"] ?? ""));
  if (status) expect([status.code, status.message]).toEqual([Number(block["grpc-status"]), text]);
  return { code: Number(block["grpc-status"]), text, details };
}

function errorOf(
  json: { code?: string; message?: string; details?: { type: string; value: string }[] } | undefined,
) {
  const codes: Record<string, number> = {};
  for (const [name, code] of Object.entries(Code))
    if (typeof code === "number") codes[name.replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase()] = code;
  return {
    code: json?.code ? (codes[json.code] ?? -1) : 0,
    text: json?.message ?? "",
    details: (json?.details ?? []).map(
      ({ type, value }) => `type.googleapis.com/${type} ${Buffer.from(value, "base64").toString("hex")}`,
    ),
  };
}

function meaningOf(answer: MemoryAnswer): Meaning {
  const { status: http, headers, trailers, body } = answer;
  const contentType = String(headers["content-type"] ?? "");
  const none = { code: 0, text: "", details: [], messages: [] };
  const inflate = (encoding: unknown, bytes: Buffer) =>
    encoding === "gzip" || encoding === "br" ? CODINGS[encoding].inflate(bytes) : bytes;
  const message = (encodingHeader: string) => (part: { flags: number; message: Buffer }) =>
    (part.flags & 1 ? inflate(headers[encodingHeader], part.message) : part.message).toString("hex");

  if (contentType.startsWith("application/grpc-web")) {
    const parts = envelopes(body);
    const end = parts.pop();
    const bytes = end && (end.flags & 1 ? inflate(headers["grpc-encoding"], end.message) : end.message);
    const lines = (bytes?.toString() ?? "").split("\r\n").filter(Boolean);
    const block = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
    );
    return {
      http,
      contentType,
      ...statusOf(block),
      messages: parts.map(message("grpc-encoding")),
      metadata: metadataOf(headers, block),
    };
  }
  if (contentType.startsWith("application/grpc")) {
    const block = trailers ?? headers;
    return {
      http,
      contentType,
      ...statusOf(block),
      messages: envelopes(body).map(message("grpc-encoding")),
      metadata: metadataOf(headers, trailers),
    };
  }
  if (contentType.startsWith("application/connect")) {
    const parts = envelopes(body);
    const end = parts.pop();
    const bytes =
      end && (end.flags & 1 ? inflate(headers["connect-content-encoding"], end.message) : end.message);
    const { error, metadata } = JSON.parse(bytes?.toString() ?? "{}");
    return {
      http,
      contentType,
      ...errorOf(error),
      messages: parts.map(message("connect-content-encoding")),
      metadata: metadataOf(headers, metadata),
    };
  }
  const plain = inflate(headers["content-encoding"], body);
  if (http === 200)
    return { http, contentType, ...none, messages: [plain.toString("hex")], metadata: metadataOf(headers) };
  if (contentType === "application/json")
    return {
      http,
      contentType,
      ...errorOf(JSON.parse(plain.toString())),
      messages: [],
      metadata: metadataOf(headers),
    };
  // By HTTP alone: the lean path adds a line of text for people, which means nothing to a client.
  return { http, contentType: contentType.replace(/^text\/plain.*/, ""), ...none, metadata: {} };
}

/** Where the two ways differ on purpose, and why; `undefined` where they must not. */
function expectedDifference(plan: Plan, ours: Meaning, theirs: Meaning): string | undefined {
  const differ = ours.code !== 0 && theirs.code !== 0 && ours.code !== theirs.code;
  if (plan.contentType === "application/grpc-web-text") return "connect-es does not serve gRPC-Web text";
  if (plan.target === "/test.v1.EchoService/Nothing")
    return "connect-es answers 404 for an unknown method of a known service";
  if (plan.target === MISSING && ours.code === Code.Unimplemented && theirs.code !== 0)
    return "that a method has no handler is told before its request is read";
  if (plan.verb === "GET" && (plan.protocol !== "connect" || plan.contentType !== undefined))
    return "connect-es wants a GET, which has no body, to have a fitting content type or none";
  if (plan.damage === "cut" && ours.code === Code.InvalidArgument && theirs.code === Code.Unimplemented)
    return "connect-es takes an envelope that is cut right after its header for no message";
  if (plan.contentType === "" && theirs.http !== 415)
    return "connect-es takes a missing content type for the only one there is";
  if (ours.code === Code.InvalidArgument && theirs.code === Code.Internal && !plan.json)
    return "connect-es calls a malformed binary request INTERNAL; the caller is at fault";
  if (plan.damage === "noise" && plan.json && ours.code === Code.InvalidArgument)
    return "connect-es replaces bytes that are no UTF-8 instead of refusing them";
  if (plan.damage === "flags")
    return "connect-es ignores unknown flags, or takes them for the end of the stream";
  if (
    (plan.coding === "gzip" || plan.coding === "br") &&
    ours.code === Code.InvalidArgument &&
    plan.damage !== "none"
  )
    return "connect-es has other codes for data that cannot be inflated";
  if (plan.damage === "doubled" && differ)
    return "which of two mistakes is told first: too large, broken, or one message too many";
  if (plan.timeout !== undefined && differ && [ours.code, theirs.code].includes(Code.DeadlineExceeded))
    return "which of two mistakes is told first: no time left, or a request that is wrong";
  if (ours.code === Code.ResourceExhausted && differ)
    return "the size of a request is told before anything else";
  if (theirs.code === Code.ResourceExhausted && differ) return "both limits, in another order";
  return undefined;
}

test(`${RUNS} generated requests mean the same to both ways`, { timeout: 600_000 }, async () => {
  const differences = new Map<string, number>();
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const request = requestOf(plan);
      reached = false;
      const ours = meaningOf(await callInMemory(lean, request));
      const oursReached = reached;
      reached = false;
      const theirs = meaningOf(await callInMemory(stock, request));
      const why = expectedDifference(plan, ours, theirs);
      if (why !== undefined) {
        differences.set(why, (differences.get(why) ?? 0) + 1);
        return;
      }
      expect(oursReached).toBe(reached);
      if (!reached) {
        // Before a handler runs, each way has its own words; the code is the same.
        const { http, contentType, code, messages } = theirs;
        expect({ ...ours }).toMatchObject({ http, contentType, code, messages });
        return;
      }
      answered++;
      expect(ours).toEqual(theirs);
    }),
    {
      numRuns: RUNS,
      ...(process.env["DIFFERENTIAL_SEED"] && { seed: Number(process.env["DIFFERENTIAL_SEED"]) }),
    },
  );
  // The generator must not drift into refusals, nor the list of differences swallow what it is for.
  expect(answered).toBeGreaterThan(RUNS / 4);
  expect([...differences.values()].reduce((sum, times) => sum + times, 0)).toBeLessThan(RUNS / 4);
});
