import { connectStream, connectUnary } from "./connect/protocol.ts";
import { grpc } from "./grpc/protocol.ts";
import { grpcWeb, grpcWebText } from "./grpc-web/protocol.ts";
import type { Protocol } from "./protocol.ts";

/** What a content type says about a call. */
export interface Wire {
  readonly protocol: Protocol;
  readonly codec: "proto" | "json";
  /** Content type of the answer. */
  readonly contentType: string;
  /** Kinds of methods that it serves; Connect has one content type for unary calls and another for streams. */
  readonly serves: "unary" | "streams" | "all";
}

/** Connect unary calls, which a GET asks for by its query. */
export const CONNECT_UNARY: Readonly<Record<Wire["codec"], Wire>> = {
  proto: { protocol: connectUnary, codec: "proto", contentType: "application/proto", serves: "unary" },
  json: { protocol: connectUnary, codec: "json", contentType: "application/json", serves: "unary" },
};

const WIRES: ReadonlyMap<string, Wire> = new Map(
  [
    ...both(grpc, "application/grpc", "all"),
    ...both(grpcWeb, "application/grpc-web", "all"),
    ...both(grpcWebText, "application/grpc-web-text", "all"),
    ...both(connectStream, "application/connect", "streams"),
    CONNECT_UNARY.proto,
    CONNECT_UNARY.json,
  ].map((wire) => [wire.contentType, wire]),
);

/** gRPC and gRPC-Web mean protobuf when they do not say. */
const SHORT: ReadonlyMap<string, string> = new Map(
  ["application/grpc", "application/grpc-web", "application/grpc-web-text"].map((type) => [
    type,
    `${type}+proto`,
  ]),
);

/** Both in one, for the one look that a call takes. */
const BY_TYPE: ReadonlyMap<string, Wire | undefined> = new Map([
  ...WIRES,
  ...[...SHORT].map(([short, full]) => [short, WIRES.get(full)] as const),
]);

/** All content types of requests, as `Accept-Post` lists them. */
export const ACCEPT_POST: string = [...SHORT.keys(), ...WIRES.keys()].join(", ");

/** Finds out how a request with this `content-type` speaks; `undefined` when no protocol has it. */
export function findWire(contentType: string | undefined): Wire | undefined {
  if (contentType === undefined) return undefined;
  return BY_TYPE.get(contentType) ?? BY_TYPE.get(normalise(contentType));
}

/** Media types ignore case, and JSON may say the charset that it always has (RFC 9110 §8.3.1). */
function normalise(contentType: string): string {
  return contentType.toLowerCase().replace(/(?<=json) ?; ?charset="?utf-?8"?$/, "");
}

function both(protocol: Protocol, type: string, serves: Wire["serves"]): Wire[] {
  return (["proto", "json"] as const).map((codec) => ({
    protocol,
    codec,
    contentType: `${type}+${codec}`,
    serves,
  }));
}
