import type { ConnectError } from "@connectrpc/connect";

/**
 * One who wants to know when a call ends. An object and no function: most calls have two or three of them, and a
 * function with what it closes over, and one more that takes it back, would be four objects for each.
 */
export interface EndListener {
  /** Called once at most. Must not throw. */
  callEnded(why: ConnectError): void;
}

/**
 * Those who want to know when a call ends (the part behind `onEnd` of a call): one or two, nearly always. No list for the
 * first one, because V8 may make arrays in the old generation (see linked-list.ts), and what they point to is the call.
 */
export class EndListeners {
  #first: EndListener | undefined;
  #others: Set<EndListener> | undefined;

  add(listener: EndListener): void {
    if (this.#first === undefined) this.#first = listener;
    else {
      this.#others ??= new Set();
      this.#others.add(listener);
    }
  }

  delete(listener: EndListener): void {
    if (this.#first === listener) this.#first = undefined;
    else this.#others?.delete(listener);
  }

  /** Tells each of them once; they are forgotten before. */
  tell(why: ConnectError): void {
    const first = this.#first;
    const others = this.#others;
    this.clear();
    first?.callEnded(why);
    if (others) for (const listener of [...others]) listener.callEnded(why);
  }

  clear(): void {
    this.#first = undefined;
    this.#others = undefined;
  }
}
