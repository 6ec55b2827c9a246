import type { ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "../envelope.ts";
import type { Answering } from "../protocol.ts";
import { addMetadata, addRetryAfter, type HeaderRecord } from "../response-metadata.ts";
import { connectErrorToJson, connectHttpStatus } from "./error.ts";

/**
 * Answers a unary call: the body is the message, trailing metadata are headers behind `trailer-`.
 * https://connectrpc.com/docs/protocol#unary-response
 */
export function answerUnary(call: Answering, message: Uint8Array, encoding: string | undefined): void {
  const headers = unaryHeaders(call, call.contentType);
  if (encoding !== undefined) headers["content-encoding"] = encoding;
  call.carrier.answer(200, headers, message);
}

/**
 * Answers a unary call with an error: its HTTP status, and JSON whatever the codec of the call.
 * https://connectrpc.com/docs/protocol#unary-response (Unary-Error)
 */
export function failUnary(call: Answering, error: ConnectError): void {
  const headers = unaryHeaders(call, "application/json");
  addMetadata(headers, error.metadata);
  addRetryAfter(headers, error);
  const json = connectErrorToJson(error, call.registry);
  call.carrier.answer(connectHttpStatus(error), headers, Buffer.from(JSON.stringify(json)));
}

function unaryHeaders(call: Answering, contentType: string): HeaderRecord {
  const headers: HeaderRecord = { "content-type": contentType };
  addMetadata(headers, call.headerMetadata);
  addMetadata(headers, call.trailerMetadata, "trailer-");
  return headers;
}

/** Flag: the envelope holds the end of the stream. https://connectrpc.com/docs/protocol#streaming-response */
const END_STREAM_FLAG = 0b0000_0010;

/** The end of a stream that went well and has no metadata. */
const END = encodeEnvelope(END_STREAM_FLAG, Buffer.from("{}"));

/**
 * Begins a server stream; its HTTP status is 200 whatever comes.
 * https://connectrpc.com/docs/protocol#streaming-response
 */
export function beginStream(call: Answering, encoding: string | undefined): void {
  call.carrier.begin(200, streamHeaders(call, encoding), false);
}

/**
 * Ends a server stream with an envelope that holds error and trailing metadata, an EndStreamResponse.
 * https://connectrpc.com/docs/protocol#error-end-stream
 */
export function endStream(call: Answering, error: ConnectError | undefined): void {
  call.carrier.write(encodeEnd(call, error));
  call.carrier.end();
}

/** Answers a stream with an error before any message: as every stream, with HTTP status 200. */
export function failStream(call: Answering, error: ConnectError): void {
  const headers = streamHeaders(call, undefined);
  addRetryAfter(headers, error);
  call.carrier.answer(200, headers, encodeEnd(call, error));
}

function streamHeaders(call: Answering, encoding: string | undefined): HeaderRecord {
  const headers: HeaderRecord = { "content-type": call.contentType };
  if (encoding !== undefined) headers["connect-content-encoding"] = encoding;
  addMetadata(headers, call.headerMetadata);
  return headers;
}

function encodeEnd(call: Answering, error: ConnectError | undefined): Buffer {
  if (!error && !call.trailerMetadata) return END;
  const metadata: HeaderRecord = {};
  addMetadata(metadata, call.trailerMetadata);
  if (error) addMetadata(metadata, error.metadata);
  const lists = Object.entries(metadata).map(([name, value]) => [name, [value].flat()]);
  const end = {
    ...(error && { error: connectErrorToJson(error, call.registry) }),
    ...(lists.length > 0 && { metadata: Object.fromEntries(lists) }),
  };
  return encodeEnvelope(END_STREAM_FLAG, Buffer.from(JSON.stringify(end)));
}
