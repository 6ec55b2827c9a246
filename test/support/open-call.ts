import { Code, ConnectError } from "@connectrpc/connect";
import type { CallContext } from "../../src/lib/call-context.ts";

/** A call in real time that ends when the test says so, or at its deadline. */
export class OpenCall implements CallContext {
  readonly deadline: number;
  ended: ConnectError | undefined;
  readonly listeners = new Set<(why: ConnectError) => void>();

  constructor(timeoutMs?: number) {
    this.deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    if (timeoutMs !== undefined)
      setTimeout(() => this.end(new ConnectError("deadline", Code.DeadlineExceeded)), timeoutMs).unref();
  }

  end(why = new ConnectError("gone", Code.Canceled)): void {
    if (this.ended) return;
    this.ended = why;
    for (const listener of [...this.listeners]) listener(why);
    this.listeners.clear();
  }

  onEnd(listener: (why: ConnectError) => void): () => void {
    if (this.ended) {
      listener(this.ended);
      return () => {};
    }
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
