import { ENVELOPE_HEADER_BYTES } from "../envelope.ts";
import { grpc } from "../grpc/protocol.ts";
import type { Protocol } from "../protocol.ts";
import { readGrpcWebTextMessage } from "./request.ts";
import { createGrpcWebResponses } from "./response.ts";

/** gRPC-Web, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md. The way in is that of gRPC. */
export const grpcWeb: Protocol = {
  ...grpc,
  name: "grpc-web",
  ...createGrpcWebResponses((bytes) => bytes),
};

/** gRPC-Web for browsers that cannot read bytes: both bodies are base64. */
export const grpcWebText: Protocol = {
  ...grpcWeb,
  // Base64 makes four characters of three bytes, and the first envelope cannot be looked into.
  enveloped: false,
  bodyLimit: (messageBytes) => Math.ceil((messageBytes + ENVELOPE_HEADER_BYTES) / 3) * 4 + 2,
  readMessage: readGrpcWebTextMessage,
  ...createGrpcWebResponses((bytes) => Buffer.from(bytes.toString("base64"), "latin1")),
};
