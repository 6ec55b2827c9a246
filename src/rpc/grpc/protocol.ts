import { ENVELOPE_HEADER_BYTES, encodeMessage } from "../envelope.ts";
import type { Protocol } from "../protocol.ts";
import { readGrpcCompression, readGrpcMessage } from "./request.ts";
import { answerGrpc, beginGrpc, endGrpc, failGrpc } from "./response.ts";
import { parseGrpcTimeout } from "./timeout.ts";

/** gRPC over HTTP/2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. */
export const grpc: Protocol = {
  name: "grpc",
  enveloped: true,
  bodyLimit: (messageBytes) => messageBytes + ENVELOPE_HEADER_BYTES,
  readTimeout: (headers) => parseGrpcTimeout(headers["grpc-timeout"]),
  readCompression: readGrpcCompression,
  readMessage: readGrpcMessage,
  answer: answerGrpc,
  fail: failGrpc,
  begin: beginGrpc,
  frame: encodeMessage,
  end: endGrpc,
};
