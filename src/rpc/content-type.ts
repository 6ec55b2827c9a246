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

/**
 * What each content type means: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests,
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md#protocol-differences-vs-grpc-over-http2,
 * https://connectrpc.com/docs/protocol#protobuf.
 */
const WIRES: ReadonlyMap<string, Wire> = new Map([
  ...wires(grpc, "application/grpc", "all"),
  ...wires(grpcWeb, "application/grpc-web", "all"),
  ...wires(grpcWebText, "application/grpc-web-text", "all"),
  ...wires(connectStream, "application/connect", "streams"),
  ["application/proto", CONNECT_UNARY.proto],
  ["application/json", CONNECT_UNARY.json],
]);

/** All content types of requests, as `Accept-Post` lists them. */
export const ACCEPT_POST: string = [...WIRES.keys()].join(", ");

/** Finds out how a request with this `content-type` speaks; `undefined` when no protocol has it. */
export function findWire(contentType: string | undefined): Wire | undefined {
  if (contentType === undefined) return undefined;
  return WIRES.get(contentType) ?? WIRES.get(normalise(contentType));
}

/** Media types ignore case, and JSON may say the charset that it always has (RFC 9110 §8.3.1). */
function normalise(contentType: string): string {
  return contentType.toLowerCase().replace(/(?<=json) ?; ?charset="?utf-?8"?$/, "");
}

/** gRPC and gRPC-Web, whose types serve all methods, mean protobuf when they do not say. */
function wires(protocol: Protocol, type: string, serves: Wire["serves"]): [string, Wire][] {
  const proto: Wire = { protocol, codec: "proto", contentType: `${type}+proto`, serves };
  const json: Wire = { protocol, codec: "json", contentType: `${type}+json`, serves };
  const short: [string, Wire][] = serves === "all" ? [[type, proto]] : [];
  return [...short, [proto.contentType, proto], [json.contentType, json]];
}
