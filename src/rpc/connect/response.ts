import type { ConnectError } from "@connectrpc/connect";
import { retryAfterSeconds } from "../../errors/retry-delay.ts";
import { COMPRESSED_FLAG, encodeEnvelope } from "../envelope.ts";
import type { Answering } from "../protocol.ts";
import { addMetadata, type HeaderRecord } from "../response-metadata.ts";
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

/** Answers a unary call with an error: its HTTP status, and JSON whatever the codec of the call. */
export function failUnary(call: Answering, error: ConnectError): void {
  const headers = unaryHeaders(call, "application/json");
  addMetadata(headers, error.metadata);
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers["retry-after"] = retryAfter;
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

/** Begins a server stream; its HTTP status is 200 whatever comes. */
export function beginStream(call: Answering, encoding: string | undefined): void {
  call.carrier.begin(200, streamHeaders(call, encoding), false);
}

export function frameStream(message: Uint8Array, compressed: boolean): Uint8Array {
  return encodeEnvelope(compressed ? COMPRESSED_FLAG : 0, message);
}

/** Ends a server stream with an envelope that holds error and trailing metadata. */
export function endStream(call: Answering, error: ConnectError | undefined): void {
  call.carrier.write(encodeEnd(call, error));
  call.carrier.end();
}

/** Answers a stream with an error before any message. */
export function failStream(call: Answering, error: ConnectError): void {
  const headers = streamHeaders(call, undefined);
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers["retry-after"] = retryAfter;
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
