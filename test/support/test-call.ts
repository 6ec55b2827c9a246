import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import type { Clock, Timer } from "../../src/lib/clock.ts";
import type { EndListener } from "../../src/lib/end-listeners.ts";
import { readTraceContext, type TraceContext } from "../../src/lib/trace-context.ts";
import type { Call, ProtocolName } from "../../src/rpc/call.ts";
import { Metadata } from "../../src/rpc/metadata.ts";

export interface TestCallOptions {
  readonly method?: DescMethod;
  readonly protocol?: ProtocolName;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds from now on the clock given; absent: no deadline. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/** A call without a socket: its deadline runs on the clock of the test, and the test ends it at will. */
export class TestCall implements Call {
  readonly method: DescMethod;
  readonly protocol: ProtocolName;
  readonly peer = "127.0.0.1:1";
  readonly requestId = "test-request";
  readonly trace: TraceContext | undefined;
  readonly deadline: number;
  readonly responseHeader = new Metadata();
  readonly responseTrailer = new Metadata();
  ended: ConnectError | undefined;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly listeners = new Set<EndListener>();
  private readonly timer: Timer | undefined;

  constructor(options: TestCallOptions = {}) {
    this.method = options.method ?? Operations.method.getOperation;
    this.protocol = options.protocol ?? "grpc";
    this.headers = options.headers ?? {};
    this.trace = readTraceContext(this.headers["traceparent"], this.headers["tracestate"]);
    const { timeoutMs, clock } = options;
    this.deadline =
      timeoutMs !== undefined && clock ? clock.monotonic() + timeoutMs : Number.POSITIVE_INFINITY;
    if (timeoutMs !== undefined && clock)
      this.timer = clock.setTimer(timeoutMs, () =>
        this.end(new ConnectError("the call's deadline has passed", Code.DeadlineExceeded)),
      );
  }

  /** Ends the call: by default as a caller that has gone away. */
  end(why: ConnectError = new ConnectError("the caller has gone away", Code.Canceled)): void {
    if (this.ended) return;
    this.ended = why;
    this.timer?.cancel();
    for (const listener of [...this.listeners]) listener.callEnded(why);
    this.listeners.clear();
  }

  /** The call has been answered: its timer must not end it any more. */
  answered(): void {
    this.timer?.cancel();
  }

  /** How many stages still listen for the end of the call; 0 once all of them have let go. */
  get listening(): number {
    return this.listeners.size;
  }

  onEnd(listener: EndListener): void {
    if (this.ended) listener.callEnded(this.ended);
    else this.listeners.add(listener);
  }

  offEnd(listener: EndListener): void {
    this.listeners.delete(listener);
  }

  header(name: string): string | undefined {
    return this.headers[name];
  }

  get signal(): AbortSignal {
    const controller = new AbortController();
    this.onEnd({ callEnded: (why) => controller.abort(why) });
    return controller.signal;
  }
}
