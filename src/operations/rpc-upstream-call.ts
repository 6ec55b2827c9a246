import type { ConnectError } from "@connectrpc/connect";
import { UPSTREAM_REQUEST_ID_HEADER, UPSTREAM_STATUS_HEADER } from "../errors/from-upstream.ts";
import type { EndListener } from "../lib/end-listeners.ts";
import type { TraceContext } from "../lib/trace-context.ts";
import type { Call } from "../rpc/call.ts";
import type { Metadata } from "../rpc/metadata.ts";
import type { UpstreamAnswerInfo, UpstreamCall } from "../upstream/operations-api.ts";

/** An RPC as the upstream stage sees it: same deadline, same cancellation, and its answer's facts become metadata. */
export class RpcUpstreamCall implements UpstreamCall {
  readonly deadline: number;
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly trace: TraceContext | undefined;
  readonly #call: Call;

  constructor(call: Call) {
    this.#call = call;
    this.deadline = call.deadline;
    this.authorization = call.header("authorization");
    this.requestId = call.requestId;
    this.trace = call.trace;
  }

  get responseHeader(): Metadata {
    return this.#call.responseHeader;
  }

  get ended(): ConnectError | undefined {
    return this.#call.ended;
  }

  onEnd(listener: EndListener): void {
    this.#call.onEnd(listener);
  }

  offEnd(listener: EndListener): void {
    this.#call.offEnd(listener);
  }

  /**
   * Puts the facts of an upstream answer into the access log and the response metadata. There an error answer is left
   * out: the error made of it carries the same, and the caller would read it twice.
   */
  onUpstreamAnswer(info: UpstreamAnswerInfo): void {
    const call = this.#call;
    call.upstreamOutcome = info;
    if (info.httpStatus >= 300) return;
    call.responseHeader.set(UPSTREAM_STATUS_HEADER, String(info.httpStatus));
    // An id that is no legal field value is dropped: metadata must never break an answer.
    if (info.requestId !== undefined && /^[\x21-\x7e]{1,128}$/.test(info.requestId))
      call.responseHeader.set(UPSTREAM_REQUEST_ID_HEADER, info.requestId);
  }
}
