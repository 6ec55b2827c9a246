import type { ConnectError } from "@connectrpc/connect";
import type { ResponseHeaders } from "../../listen/transport.ts";
import { encodeMessage } from "../envelope.ts";
import type { Answering } from "../protocol.ts";
import { addMetadata, addRetryAfter, type HeaderRecord } from "../response-metadata.ts";
import { addGrpcStatus } from "./error.ts";

/** Trailers of a call that went well and has no metadata. Shared: one object for all of them. */
const OK: ResponseHeaders = { "grpc-status": "0" };

/**
 * Answers a unary call: header block, one envelope, trailers.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 */
export function answerGrpc(call: Answering, message: Uint8Array, encoding: string | undefined): void {
  const body = encodeMessage(message, encoding !== undefined);
  call.carrier.answer(200, grpcHeaders(call, encoding), body, grpcTrailers(call, undefined));
}

/**
 * Answers with an error before any message as Trailers-Only, one header block that ends the stream: once a header
 * block without status has come, gRPC clients do not retry any more (gRFC A6). Only leading metadata, if the handler
 * has set some, makes two blocks of it: clients read what stands in Trailers-Only as trailing.
 *
 * RetryInfo stands there as `Retry-After` too: a proxy that calls again by itself reads it (Envoy's
 * `rate_limited_retry_back_off`, which cannot read the milliseconds of gRPC's pushback), and else would within 25 ms.
 */
export function failGrpc(call: Answering, error: ConnectError): void {
  const headers = grpcHeaders(call, undefined);
  if (call.headerMetadata?.entries.length) {
    call.carrier.answer(200, headers, undefined, grpcTrailers(call, error));
    return;
  }
  addMetadata(headers, call.trailerMetadata);
  addGrpcStatus(headers, error);
  addRetryAfter(headers, error);
  call.carrier.answer(200, headers);
}

/** Begins a server stream. */
export function beginGrpc(call: Answering, encoding: string | undefined): void {
  call.carrier.begin(200, grpcHeaders(call, encoding), true);
}

/** Ends a server stream with its trailers. */
export function endGrpc(call: Answering, error: ConnectError | undefined): void {
  call.carrier.end(grpcTrailers(call, error));
}

/** The header block of an answer, of gRPC and gRPC-Web. */
export function grpcHeaders(call: Answering, encoding: string | undefined): HeaderRecord {
  const headers: HeaderRecord = { "content-type": call.contentType };
  if (encoding !== undefined) headers["grpc-encoding"] = encoding;
  addMetadata(headers, call.headerMetadata);
  return headers;
}

/** The trailers of an answer, of gRPC and gRPC-Web. */
export function grpcTrailers(call: Answering, error: ConnectError | undefined): ResponseHeaders {
  if (!error && !call.trailerMetadata) return OK;
  const trailers: HeaderRecord = {};
  addMetadata(trailers, call.trailerMetadata);
  if (error) addGrpcStatus(trailers, error);
  else trailers["grpc-status"] = "0";
  return trailers;
}
