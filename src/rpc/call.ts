import type { DescMethod } from "@bufbuild/protobuf";
import type { CallContext } from "../lib/call-context.ts";
import type { TraceContext } from "../lib/trace-context.ts";
import type { Metadata } from "./metadata.ts";

/** The protocols that reach a handler; it does not need to know which one did. */
export type ProtocolName = "grpc" | "grpc-web" | "connect";

/**
 * One RPC as its handler sees it: deadline and cancellation (from {@link CallContext}), the caller's headers, and
 * where the answer's metadata goes. The same for every protocol and carrier.
 */
export interface Call extends CallContext {
  readonly method: DescMethod;
  readonly protocol: ProtocolName;
  /** Address of the TCP peer, `host:port`, or `unix` for a local socket. */
  readonly peer: string;
  /**
   * Identifies the call in logs, and to its caller in the metadata and the RequestInfo of an error: the caller's
   * `x-request-id` if well-formed, else made here.
   */
  readonly requestId: string;
  /** The caller's place in a distributed trace, if a valid `traceparent` says one. */
  readonly trace: TraceContext | undefined;
  /** A request header or gRPC metadata value by lower-case name; several lines of one name are joined by `, `. */
  header(name: string): string | undefined;
  /** Leading metadata of the answer; of no effect once the answer has begun. */
  readonly responseHeader: Metadata;
  /** Trailing metadata of the answer. */
  readonly responseTrailer: Metadata;
  /** The cancellation as an AbortSignal, made when first asked for; its reason is {@link CallContext.ended}. */
  readonly signal: AbortSignal;
  /** Set by whoever asked the upstream for this call: its last HTTP answer, for the access log. */
  upstreamOutcome?: { readonly httpStatus: number; readonly attempts: number } | undefined;
}
