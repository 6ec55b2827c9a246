import { ENVELOPE_HEADER_BYTES, encodeMessage } from "../envelope.ts";
import type { Protocol } from "../protocol.ts";
import {
  readStreamCompression,
  readStreamMessage,
  readUnaryCompression,
  readUnaryMessage,
} from "./request.ts";
import { answerUnary, beginStream, endStream, failStream, failUnary } from "./response.ts";
import { parseConnectTimeout } from "./timeout.ts";

/** Unary calls of the Connect protocol, https://connectrpc.com/docs/protocol#unary-rpcs. */
export const connectUnary: Protocol = {
  name: "connect",
  enveloped: false,
  bodyLimit: (messageBytes) => messageBytes,
  readTimeout: (headers) => parseConnectTimeout(headers["connect-timeout-ms"]),
  readCompression: readUnaryCompression,
  readMessage: readUnaryMessage,
  answer: answerUnary,
  fail: failUnary,
  begin: beginStream,
  frame: encodeMessage,
  end: endStream,
};

/** Streams of the Connect protocol, https://connectrpc.com/docs/protocol#streaming-rpcs. */
export const connectStream: Protocol = {
  ...connectUnary,
  enveloped: true,
  bodyLimit: (messageBytes) => messageBytes + ENVELOPE_HEADER_BYTES,
  readCompression: readStreamCompression,
  readMessage: readStreamMessage,
  fail: failStream,
};
