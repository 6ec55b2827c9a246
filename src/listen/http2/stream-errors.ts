import type { FloodGuard } from "./flood-guard.ts";
import { resetFrame } from "./frame-writer.ts";
import type { SendQueue } from "./send-queue.ts";
import type { Http2Stream } from "./stream.ts";
import type { StreamTable } from "./stream-table.ts";

/** Who has to know how a stream ends. */
export interface StreamLoss {
  /** The exchange is over because the peer reset it, or did what it must not. */
  lost(stream: Http2Stream, ending: "reset by peer" | "reset here"): void;
}

/** Errors of a stream alone: RST_STREAM, counted, while the connection goes on (RFC 9113 §5.4.2). */
export class StreamErrors {
  readonly #owner: StreamLoss;
  readonly #streams: StreamTable;
  readonly #queue: SendQueue;
  readonly #guard: FloodGuard;

  constructor(owner: StreamLoss, streams: StreamTable, queue: SendQueue, guard: FloodGuard) {
    this.#owner = owner;
    this.#streams = streams;
    this.#queue = queue;
    this.#guard = guard;
  }

  /** The peer did with an open stream what it must not. @throws ConnectionError when it does so too often. */
  fail(stream: Http2Stream, code: number): void {
    this.#guard.reset();
    this.#queue.control(resetFrame(stream.id, code));
    this.#owner.lost(stream, "reset here");
  }

  /** Resets a stream that is not open. @throws ConnectionError when the peer makes this necessary too often. */
  refuse(id: number, code: number): void {
    this.#guard.reset();
    this.#queue.control(resetFrame(id, code));
    this.#streams.remember(id, "reset here");
  }
}
