import type { Registry } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { RequestHeaders, TransportCall } from "../listen/transport.ts";
import type { ProtocolName } from "./call.ts";
import type { Negotiated } from "./compression.ts";
import type { Metadata } from "./metadata.ts";

/**
 * What differs between the protocols. Each has a folder with the same files: `timeout.ts` and `request.ts` for the
 * way in, `response.ts` and `error.ts` for the way out, `protocol.ts` which ties them together. gRPC-Web, which takes
 * timeout and error from gRPC, has none of its own for these.
 */
export interface Protocol {
  readonly name: ProtocolName;
  /** Whether messages come in envelopes; Connect unary bodies are the bare message. */
  readonly enveloped: boolean;
  /** How many bytes a request body may have whose message has at most `messageBytes`. */
  bodyLimit(messageBytes: number): number;

  readTimeout(headers: RequestHeaders): Timeout;
  /** Which codings the header block asks for. */
  readCompression(headers: RequestHeaders): Negotiated;
  /**
   * Takes the message out of a complete request body and inflates it, neither giving more than `limit` bytes.
   * Throws ConnectError.
   */
  readMessage(body: Buffer, compression: Negotiated, limit: number): Uint8Array;

  /** Answers a unary call. `encoding` names the coding that `message` is compressed with, if any. */
  answer(call: Answering, message: Uint8Array, encoding: string | undefined): void;
  /** Answers a call with an error before any message. The error is finished: well-formed and within its limits. */
  fail(call: Answering, error: ConnectError): void;

  /** Begins the answer of a server stream. `encoding` names the coding that its messages may be compressed with. */
  begin(call: Answering, encoding: string | undefined): void;
  /** One message of a server stream as it goes on the wire. */
  frame(message: Uint8Array, compressed: boolean): Uint8Array;
  /** Ends a server stream that has begun, with OK or with an error. */
  end(call: Answering, error: ConnectError | undefined): void;
}

/** A request that comes in the query of a GET instead of a body. */
export interface Query {
  /** Throws a ConnectError when it cannot be read. */
  readonly readMessage: () => Buffer;
  /** Name of the coding that the message is compressed with, if any. */
  readonly encoding: string | undefined;
}

/** A call as its way out sees it. */
export interface Answering {
  readonly carrier: TransportCall;
  /** Content type of the answer. */
  readonly contentType: string;
  /** Knows the types of error details that JSON shows in plain. */
  readonly registry: Registry;
  readonly headerMetadata?: Metadata | undefined;
  readonly trailerMetadata?: Metadata | undefined;
}

/** What a timeout header says: milliseconds (zero and less: no time at all), nothing, or something malformed. */
export type Timeout =
  | { readonly ms: number | undefined; readonly problem?: undefined }
  | { readonly ms?: undefined; readonly problem: ConnectError };

/** No timeout header. */
export const NO_TIMEOUT: Timeout = { ms: undefined };

/**
 * The longest timeout that is told apart, 24.8 days: what a timer of Node can count (it takes more for 1 ms). Longer
 * ones are legal, and mean this.
 */
export const TIMEOUT_MAX_MS = 2 ** 31 - 1;
