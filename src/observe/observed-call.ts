import type { ConnectError } from "@connectrpc/connect";
import type { TraceContext } from "../lib/trace-context.ts";

/** What log and metrics need to know of a call that has been answered. */
export interface ObservedCall {
  readonly method: {
    readonly name: string;
    readonly methodKind: string;
    readonly parent: { readonly typeName: string };
  };
  readonly protocol: "grpc" | "grpc-web" | "connect";
  /** On {@link Clock.monotonic}. */
  readonly openedAt: number;
  readonly peer: string;
  readonly requestId: string;
  readonly trace?: TraceContext | undefined;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly responseMessages: number;
  /** Facts of the last HTTP answer of the upstream to this call, if it had one of its own. */
  readonly upstreamOutcome?: { readonly httpStatus: number; readonly attempts: number } | undefined;
}

/** What is told of a request that was no call. */
export interface ObservedRefusal {
  readonly peer: string;
  readonly httpVersion: string;
  readonly requestId: string;
}

/** An answer by HTTP alone; the reason is of the catalogue. */
export interface HttpRefused {
  readonly httpStatus: number;
  readonly reason: string;
}

/** Where calls are told to. Each method must not throw. */
export interface CallObserver {
  /** `error` is absent for OK. */
  finished(call: ObservedCall, error: ConnectError | undefined): void;
  /** `why` is an answer by HTTP alone, or the error of an answer in the caller's protocol. */
  refused(request: ObservedRefusal, why: HttpRefused | ConnectError): void;
}

/**
 * Services that are called by machines every few seconds to see whether somebody is there: their calls stand in no
 * log and no histogram, where they would hide all others.
 */
export const UNOBSERVED_SERVICES: ReadonlySet<string> = new Set(["grpc.health.v1.Health"]);

/** Unary methods whose calls last until an operation is done, or as long as their caller wants. */
const WAITS: ReadonlySet<string> = new Set([
  "google.longrunning.Operations/WaitOperation",
  "lrogateway.v1.OperationWatcher/CancelAndWait",
]);

/** Whether calls of a method last as long as their caller wants, so that their duration says nothing of the gateway. */
export function isLong({ name, methodKind, parent }: ObservedCall["method"]): boolean {
  return methodKind !== "unary" || WAITS.has(`${parent.typeName}/${name}`);
}
