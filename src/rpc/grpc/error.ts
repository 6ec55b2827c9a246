import { create, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.ts";
import { bytesOf, typeOf } from "../../errors/detail.ts";
import { isFinal, retryDelayMs } from "../../errors/retry-delay.ts";
import { addMetadata, type HeaderRecord } from "../response-metadata.ts";

/**
 * Writes an error as gRPC trailers, of gRPC and gRPC-Web: `grpc-status`, `grpc-message` and, where it has details,
 * the same status once more as `grpc-status-details-bin`; RetryInfo, or that there is none, also as
 * `grpc-retry-pushback-ms`.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses,
 * https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
 */
export function addGrpcStatus(into: HeaderRecord, error: ConnectError): void {
  addMetadata(into, error.metadata);
  into["grpc-status"] = String(error.code);
  into["grpc-message"] = encodeGrpcMessage(error.rawMessage);
  if (error.details.length === 0) return;
  into["grpc-status-details-bin"] = encodeStatus(error);
  const delayMs = retryDelayMs(error);
  if (delayMs !== undefined) into["grpc-retry-pushback-ms"] = String(delayMs);
  else if (isFinal(error)) into["grpc-retry-pushback-ms"] = NO_RETRY;
}

/** A negative pushback: the client makes no further attempt, whatever its policy says (gRFC A6). */
const NO_RETRY = "-1";

/** google.rpc.Status in base64 without padding, as binary metadata is written. */
function encodeStatus(error: ConnectError): string {
  const details = error.details.map((detail) => ({
    typeUrl: `type.googleapis.com/${typeOf(detail)}`,
    value: bytesOf(detail),
  }));
  const status = create(StatusSchema, { code: error.code, message: error.rawMessage, details });
  return Buffer.from(toBinary(StatusSchema, status)).toString("base64").replace(/=+$/, "");
}

/** Runs of what may not stand in `grpc-message` as it is: all but printable ASCII, `%`, and a space at either end. */
const TO_ENCODE = /[^\x20-\x24\x26-\x7e]+|^ | $/g;

/** Percent-encodes the UTF-8 bytes of a message where a header could not carry them. */
export function encodeGrpcMessage(message: string): string {
  // encodeURIComponent throws on half a surrogate pair, and then no trailers would be sent at all.
  return message.toWellFormed().replace(TO_ENCODE, encodeURIComponent);
}
