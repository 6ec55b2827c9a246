import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors/reasons.ts";
import type { Expiring } from "../../lib/timer-wheel.ts";
import type { Receiver, TransportCall } from "../../listen/transport.ts";
import { findWire } from "../content-type.ts";
import type { Path } from "../path.ts";
import { deadlineExceeded } from "../rpc-call.ts";

/** How much of a request body waits for its reader before the carrier is told to wait. */
const BODY_BUFFER_BYTES = 65_536;

/** After so many pieces of a body, they must have so many bytes on average: each costs as much as a small call. */
const PIECES_FREE = 1_024;
const PIECE_BYTES = 16;

/**
 * The request body of a call as connect-es reads it, and what else the carrier tells. Takes the call from its first
 * turn on, whenever connect-es gets to it, and ends one whose caller keeps it open and says nothing.
 */
export class ConnectEsExchange implements Receiver, Expiring {
  next: Expiring["next"];
  previous: Expiring["previous"];
  due = 0;
  /** The answer has begun. */
  begun = false;
  readonly #call: TransportCall;
  readonly #path: Path;
  readonly #onClosed: () => void;
  readonly #abort = new AbortController();
  readonly #deadline: number;
  #answered = false;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #pieces = 0;
  #arrivedBytes = 0;
  #lastArrival: number;
  #end: "open" | "complete" | "cut" | ConnectError = "open";
  #arrived = Promise.withResolvers<void>();
  #drained = Promise.withResolvers<void>();

  constructor(call: TransportCall, path: Path, onClosed: () => void) {
    this.#call = call;
    this.#path = path;
    this.#onClosed = onClosed;
    this.#lastArrival = path.clock.monotonic();
    this.#deadline = this.#lastArrival + timeoutMs(call);
    call.receive(this);
    if (this.#deadline <= this.#lastArrival) this.end(deadlineExceeded());
    else path.wheel.set(this, Math.min(this.#deadline, this.#lastArrival + path.limits.requestArrivalMs));
  }

  /** Aborted when the caller has gone before the answer was complete. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  data(chunk: Uint8Array): void {
    if (this.#answered || this.#end !== "open") return;
    this.#arrivedBytes += chunk.byteLength;
    if (++this.#pieces > PIECES_FREE && this.#arrivedBytes < this.#pieces * PIECE_BYTES)
      this.#call.reset("ENHANCE_YOUR_CALM");
    this.#lastArrival = this.#path.clock.monotonic();
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes > BODY_BUFFER_BYTES) this.#call.pause();
    this.#arrived.resolve();
  }

  complete(): void {
    if (this.#end === "open") this.#end = "complete";
    this.#path.wheel.forget(this);
    this.#arrived.resolve();
  }

  drained(): void {
    this.#drained.resolve();
  }

  closed(answered: boolean): void {
    if (this.#end === "open") this.#end = "cut";
    this.#path.wheel.forget(this);
    this.#arrived.resolve();
    this.#drained.resolve();
    this.#onClosed();
    if (!answered) this.#abort.abort(gatewayError("CALLER_GONE", "the caller went away"));
  }

  /** The wheel's: something may have arrived since it was wound up. */
  expire(now: number): void {
    const { streamIdleMs, requestArrivalMs } = this.#path.limits;
    const silentUntil = this.#lastArrival + (this.#pieces > 0 ? streamIdleMs : requestArrivalMs);
    const due = Math.min(this.#deadline, silentUntil);
    if (due > now) this.#path.wheel.set(this, due);
    // What came while this process stood still is not late, and is read before the wheel comes by again.
    else if (this.due <= due) this.#path.wheel.set(this, now);
    else this.end(now >= this.#deadline ? deadlineExceeded() : this.#tooLate());
  }

  /** Ends a request that is still open: whoever reads it gets `why` after what has arrived, and answers with it. */
  end(why: ConnectError): void {
    if (this.#end !== "open") return;
    this.#end = why;
    this.#path.wheel.forget(this);
    this.#arrived.resolve();
  }

  /** The answer is complete: what still arrives is only read away. */
  finish(): void {
    this.#answered = true;
    this.#path.wheel.forget(this);
  }

  /** Resolves when the carrier takes more of the answer, or nobody wants it any more. */
  writable(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.resolve();
    this.#drained = Promise.withResolvers();
    return this.#drained.promise;
  }

  /** What has arrived since the last time as one piece: connect-es adds all its pieces up on each new one. */
  async *body(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#chunks.length > 0) {
        const piece = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
        this.#chunks = [];
        this.#bytes = 0;
        this.#call.resume();
        if (piece) yield piece;
      } else if (this.#end === "complete") return;
      else if (this.#end === "cut") throw gatewayError("CALLER_GONE", "the caller went away");
      else if (this.#end !== "open") throw this.#end;
      else {
        this.#arrived = Promise.withResolvers();
        await this.#arrived.promise;
      }
    }
  }

  #tooLate(): ConnectError {
    const { requestArrivalMs, streamIdleMs } = this.#path.limits;
    return gatewayError(
      "DEADLINE_PASSED",
      this.#pieces > 0
        ? `nothing has arrived on this stream for ${streamIdleMs} ms; open a new one when there is more to ask`
        : `the request did not arrive within ${requestArrivalMs} ms`,
    );
  }
}

/**
 * What the caller's timeout says, in milliseconds; one that is malformed is left to connect-es, which refuses it. connect-es
 * tells its handlers only, and one that reads from its stream does not hear of it.
 */
function timeoutMs({ headers }: TransportCall): number {
  return findWire(headers["content-type"])?.protocol.readTimeout(headers).ms ?? Number.POSITIVE_INFINITY;
}
