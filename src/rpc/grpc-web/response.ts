import type { ConnectError } from "@connectrpc/connect";
import type { ResponseHeaders } from "../../listen/transport.ts";
import { encodeEnvelope, encodeMessage } from "../envelope.ts";
import { grpcHeaders, grpcTrailers } from "../grpc/response.ts";
import type { Answering } from "../protocol.ts";
import { addRetryAfter } from "../response-metadata.ts";

/** Flag: the envelope holds trailers. */
const TRAILER_FLAG = 0b1000_0000;

/** How bytes leave: as they are for `application/grpc-web`, in base64 for `application/grpc-web-text`. */
export type Outgoing = (bytes: Buffer) => Buffer;

/**
 * The way out of gRPC-Web: as gRPC, but the trailers are the last envelope of the body.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md#protocol-differences-vs-grpc-over-http2
 */
export function createGrpcWebResponses(outgoing: Outgoing) {
  return {
    answer(call: Answering, message: Uint8Array, encoding: string | undefined): void {
      const envelope = encodeMessage(message, encoding !== undefined);
      const body = Buffer.concat([envelope, encodeTrailers(grpcTrailers(call, undefined))]);
      call.carrier.answer(200, grpcHeaders(call, encoding), outgoing(body));
    },
    fail(call: Answering, error: ConnectError): void {
      const headers = grpcHeaders(call, undefined);
      // Browsers and proxies know this header, but read no trailer in a body.
      addRetryAfter(headers, error);
      call.carrier.answer(200, headers, outgoing(encodeTrailers(grpcTrailers(call, error))));
    },
    begin(call: Answering, encoding: string | undefined): void {
      call.carrier.begin(200, grpcHeaders(call, encoding), false);
    },
    frame(message: Uint8Array, compressed: boolean): Uint8Array {
      return outgoing(encodeMessage(message, compressed));
    },
    end(call: Answering, error: ConnectError | undefined): void {
      call.carrier.write(outgoing(encodeTrailers(grpcTrailers(call, error))));
      call.carrier.end();
    },
  };
}

/** The usual trailers, made once. */
const OK = encodeEnvelope(TRAILER_FLAG, Buffer.from("grpc-status: 0\r\n"));

/** Trailers as an HTTP/1 header block in an envelope. */
function encodeTrailers(trailers: ResponseHeaders): Buffer {
  const names = Object.keys(trailers);
  if (names.length === 1 && trailers["grpc-status"] === "0") return OK;
  let block = "";
  for (const name of names)
    for (const value of [trailers[name] ?? []].flat()) block += `${name}: ${value}\r\n`;
  return encodeEnvelope(TRAILER_FLAG, Buffer.from(block));
}
