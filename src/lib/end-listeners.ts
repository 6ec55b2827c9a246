import type { ConnectError } from "@connectrpc/connect";
import { SmallSet } from "./small-set.ts";

/**
 * One who wants to know when a call ends. An object and no function: most calls have two or three of them, and a
 * function with what it closes over, and one more that takes it back, would be four objects for each.
 */
export interface EndListener {
  /** Called once at most. Must not throw. */
  callEnded(why: ConnectError): void;
}

/** Those who want to know when a call ends (the part behind `onEnd` of a call): one or two, nearly always. */
export class EndListeners extends SmallSet<EndListener> {
  /** Tells each of them once; they are forgotten before. */
  tell(why: ConnectError): void {
    const all: EndListener[] = [];
    this.forEach((listener) => {
      all.push(listener);
    });
    this.clear();
    for (const listener of all) listener.callEnded(why);
  }
}
