import type { ConnectError } from "@connectrpc/connect";
import type { UpstreamAnswerInfo, UpstreamCall } from "../upstream/operations-api.ts";
import type { Observation } from "./observation.ts";
import type { ReadCollapse, Reader, ReadTarget } from "./read-collapse.ts";

/** A read that a caller waits for: of GetOperation, of a wait of zero, or the last look after a cancel. */
export class CallRead implements Reader {
  readonly deadline: number;
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly retry: boolean;
  /** Rejects with a ConnectError: of the upstream, or what ended the call. */
  readonly result: Promise<Observation>;
  private readonly call: UpstreamCall;
  private readonly settle: PromiseWithResolvers<Observation>;
  private forgetCall: (() => void) | undefined;
  private readonly leave: () => void;

  constructor(target: ReadTarget, call: UpstreamCall, reads: ReadCollapse) {
    this.deadline = call.deadline;
    this.authorization = call.authorization;
    this.requestId = call.requestId;
    this.retry = call.retry ?? true;
    this.call = call;
    this.settle = Promise.withResolvers();
    this.result = this.settle.promise;
    this.leave = reads.read(target, this);
    this.forgetCall = call.onEnd((why) => this.end(why));
  }

  found(seen: Observation, answer: UpstreamAnswerInfo | undefined): void {
    this.forgetCall?.();
    if (answer) this.call.onUpstreamAnswer?.(answer);
    this.settle.resolve(seen);
  }

  failed(error: ConnectError, answer: UpstreamAnswerInfo | undefined): void {
    this.forgetCall?.();
    if (answer) this.call.onUpstreamAnswer?.(answer);
    this.settle.reject(error);
  }

  /** Gives the read up; others who share it still get it. */
  end(why: ConnectError): void {
    this.forgetCall?.();
    this.leave();
    this.settle.reject(why);
  }
}
