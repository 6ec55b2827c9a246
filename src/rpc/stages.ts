import type { ConnectError } from "@connectrpc/connect";
import type { TransportCall } from "../listen/transport.ts";
import type { Call } from "./call.ts";
import type { HttpRefusal } from "./http-refusal.ts";

/**
 * Where other stages hook into the path of a call, in the order in which a call meets them. Each is one function or
 * none; one that is absent costs a comparison.
 */
export interface Stages {
  /**
   * Decides from the header block, before the body is read or inflated, whether the call may go on: authentication,
   * policy, load. Returns (or resolves to) the refusal, or nothing. What it throws, or rejects with, ends the call as
   * a fault of the gateway.
   */
  readonly admit?: (call: Call) => ConnectError | undefined | Promise<ConnectError | undefined>;
  /** The last word on an error before it leaves: what it returns is what the caller gets. Must not throw. */
  readonly amendError?: (error: ConnectError) => ConnectError;
  /** Told once for each call whose method was found, when its answer is decided or its caller has left: log, metrics. */
  readonly finished?: (call: FinishedCall, error: ConnectError | undefined) => void;
  /**
   * Told once for each request that becomes no call: of an answer by HTTP alone, or an error in the caller's protocol.
   */
  readonly refused?: (carrier: TransportCall, why: HttpRefusal | ConnectError, requestId: string) => void;
}

/** A call as log and metrics see it. */
export interface FinishedCall extends Call {
  /** When its header block had arrived, on {@link Clock.monotonic}. */
  readonly openedAt: number;
  readonly codec: { readonly name: "proto" | "json" };
  readonly carrier: TransportCall;
  /** Bytes of request and answer messages, before framing and compression. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Messages of the answer. */
  readonly responseMessages: number;
}
