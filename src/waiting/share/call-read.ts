import type { ConnectError } from "@connectrpc/connect";
import type { EndListener } from "../../lib/end-listeners.ts";
import type { TraceContext } from "../../lib/trace-context.ts";
import type { UpstreamAnswerInfo, UpstreamCall } from "../../upstream/operations-api.ts";
import type { Observation } from "../facts/observation.ts";
import type { ReadCollapse, Reader } from "./read-collapse.ts";
import type { ReadTarget } from "./read-target.ts";

/** A read that a caller waits for: of GetOperation, of a wait of zero, or the last look after a cancel. */
export class CallRead<T> implements Reader, EndListener {
  readonly deadline: number;
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly trace: TraceContext | undefined;
  readonly retry: boolean;
  /** Rejects with a ConnectError: of the upstream, or what ended the call. */
  readonly result: Promise<T>;
  readonly #call: UpstreamCall;
  readonly #take: (seen: Observation) => T;
  #resolve!: (result: T) => void;
  #reject!: (why: ConnectError) => void;
  readonly #leave: () => void;

  /** `take` makes of what was found what the caller wants of it. Must not throw. */
  constructor(target: ReadTarget, call: UpstreamCall, reads: ReadCollapse, take: (seen: Observation) => T) {
    this.deadline = call.deadline;
    this.authorization = call.authorization;
    this.requestId = call.requestId;
    this.trace = call.trace;
    this.retry = call.retry ?? true;
    this.#call = call;
    this.#take = take;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#leave = reads.read(target, this);
    call.onEnd(this);
  }

  found(seen: Observation, answer: UpstreamAnswerInfo | undefined): void {
    this.#call.offEnd(this);
    if (answer) this.#call.onUpstreamAnswer?.(answer);
    this.#resolve(this.#take(seen));
  }

  failed(error: ConnectError, answer: UpstreamAnswerInfo | undefined): void {
    this.#call.offEnd(this);
    if (answer) this.#call.onUpstreamAnswer?.(answer);
    this.#reject(error);
  }

  callEnded(why: ConnectError): void {
    this.end(why);
  }

  /** Gives the read up; others who share it still get it. */
  end(why: ConnectError): void {
    this.#call.offEnd(this);
    this.#leave();
    this.#reject(why);
  }
}
