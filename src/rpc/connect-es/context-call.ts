import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { type EndListener, EndListeners } from "../../lib/end-listeners.ts";
import { readTraceContext, type TraceContext } from "../../lib/trace-context.ts";
import type { Call, ProtocolName } from "../call.ts";
import { Metadata } from "../metadata.ts";

/** Where the adapter leaves {@link Call.peer}. */
export const peerKey = createContextKey("", { description: "address of the TCP peer" });

/** Where the adapter leaves {@link Call.requestId}. */
export const requestIdKey = createContextKey("", { description: "id of the request" });

/** A {@link Call} over the context that connect-es hands to its implementations. */
export class ContextCall implements Call {
  readonly method: DescMethod;
  readonly protocol: ProtocolName;
  readonly peer: string;
  readonly requestId: string;
  readonly deadline: number;
  readonly responseHeader = new Metadata();
  readonly responseTrailer = new Metadata();
  readonly #context: HandlerContext;
  #whenEnded: Promise<never> | undefined;
  #listeners: EndListeners | undefined;

  constructor(context: HandlerContext) {
    this.#context = context;
    this.peer = context.values.get(peerKey);
    this.method = context.method;
    this.protocol = context.protocolName as ProtocolName;
    this.requestId = context.values.get(requestIdKey);
    this.deadline = performance.now() + (context.timeoutMs() ?? Number.POSITIVE_INFINITY);
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get ended(): ConnectError | undefined {
    const reason: unknown = this.signal.aborted ? this.signal.reason : undefined;
    return reason instanceof ConnectError ? reason : undefined;
  }

  get trace(): TraceContext | undefined {
    return readTraceContext(this.header("traceparent"), this.header("tracestate"));
  }

  header(name: string): string | undefined {
    return this.#context.requestHeader.get(name) ?? undefined;
  }

  onEnd(listener: EndListener): void {
    if (this.signal.aborted) {
      if (this.ended) listener.callEnded(this.ended);
      return;
    }
    if (this.#listeners === undefined) {
      const listeners = new EndListeners();
      this.#listeners = listeners;
      const tell = () => {
        if (this.ended) listeners.tell(this.ended);
      };
      this.signal.addEventListener("abort", tell, { once: true });
    }
    this.#listeners.add(listener);
  }

  offEnd(listener: EndListener): void {
    this.#listeners?.delete(listener);
  }

  /** Rejects when nobody waits for the answer any more; never resolves. */
  whenEnded(): Promise<never> {
    this.#whenEnded ??= new Promise((_, reject) => {
      this.onEnd({ callEnded: reject });
    });
    return this.#whenEnded;
  }

  /** Copies what the handler has set to where connect-es reads it. */
  handOverMetadata(): void {
    copyMetadata(this.responseHeader, this.#context.responseHeader);
    copyMetadata(this.responseTrailer, this.#context.responseTrailer);
  }
}

/** Replaces what an earlier copy has put there. */
function copyMetadata(from: Metadata, to: Headers): void {
  for (const [name] of from.entries) to.delete(name);
  for (const [name, value] of from.entries) to.append(name, value);
}
