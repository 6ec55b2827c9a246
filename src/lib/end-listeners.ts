import type { ConnectError } from "@connectrpc/connect";

type Listener = (why: ConnectError) => void;

/**
 * Those who want to know when a call ends (the part behind `onEnd` of a call): one or two, nearly always. No list for the
 * first one, because V8 may make arrays in the old generation (see linked-list.ts), and what they point to is the call.
 */
export class EndListeners {
  private first: Listener | undefined;
  private others: Set<Listener> | undefined;

  /** Returns a function that forgets the listener. */
  add(listener: Listener): () => void {
    if (this.first === undefined) {
      this.first = listener;
      return () => {
        if (this.first === listener) this.first = undefined;
      };
    }
    const others = this.others ?? new Set();
    this.others = others;
    others.add(listener);
    return () => others.delete(listener);
  }

  /** Tells each of them once; they are forgotten before. */
  tell(why: ConnectError): void {
    const { first, others } = this;
    this.clear();
    first?.(why);
    if (others) for (const listener of [...others]) listener(why);
  }

  clear(): void {
    this.first = undefined;
    this.others = undefined;
  }
}
