import type { ConnectError } from "@connectrpc/connect";
import type { EndListener } from "./end-listeners.ts";

/**
 * Deadline and cancellation of one call in one object, handed from the socket to the upstream request,
 * so that no stage waits longer than the caller does.
 *
 * Listeners instead of an AbortSignal: a signal for each call costs a tenth of the CPU of a call.
 */
export interface CallContext {
  /** When the call must have been answered, on {@link Clock.monotonic}; `Infinity` without a deadline. */
  readonly deadline: number;
  /**
   * Why nobody waits for the answer any more: DEADLINE_EXCEEDED (deadline passed), CANCELLED (caller gone) or
   * UNAVAILABLE (gateway drains); `undefined` while somebody does.
   */
  readonly ended: ConnectError | undefined;
  /** Tells `listener` once when {@link ended} is set (at once if it is). */
  onEnd(listener: EndListener): void;
  /** Forgets a listener; of no effect when there is none such. */
  offEnd(listener: EndListener): void;
}
