import type { Clock, Timer } from "./clock.ts";

/** So many streams that have ended lie in memory with some ten mebibytes. */
export const MANY_STREAMS = 2_000;

/** Those who leave together, when a proxy restarts say, leave within this time. */
export const LEAVING_MS = 1_000;

/**
 * Has the memory of streams collected when many have ended.
 *
 * Streams live for minutes, so they lie in the old generation when they end, and Node's own part of an HTTP/2 stream does
 * so until the next full collection. V8 begins one when enough has been allocated; after ten thousand watchers have left
 * and nothing happens, that is when as many have come again: the memory of two crowds for one.
 */
export class DepartedStreams {
  readonly #clock: Clock;
  readonly #collect: () => void;
  #ended = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, collect: () => void) {
    this.#clock = clock;
    this.#collect = collect;
  }

  /** A stream has ended. */
  add(): void {
    if (++this.#ended < MANY_STREAMS) return;
    this.#timer ??= this.#clock.setTimer(LEAVING_MS, () => {
      this.#timer = undefined;
      this.#ended = 0;
      this.#collect();
    });
  }
}

/**
 * A full collection by V8 in a turn of the event loop of its own: a pause of some 10 to 100 ms. Nothing where Node.js was
 * started without `--expose-gc`, which the launcher sets for servers.
 */
export function collectAll(): void {
  void globalThis.gc?.({ type: "major", execution: "async" });
}
