import type { Socket } from "node:net";
import type { CarrierContext } from "../carrier.ts";
import { peerOf } from "../peer-address.ts";
import type { App, ResetCode } from "../transport.ts";
import { FloodGuard } from "./flood-guard.ts";
import { ConnectionError, ErrorCode, MAX_31_BITS } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { goawayFrame, pingFrame, resetFrame, windowUpdateFrame } from "./frame-writer.ts";
import { HpackError } from "./hpack-error.ts";
import { Incoming, type IncomingOwner } from "./incoming.ts";
import { type SendObserver, SendQueue } from "./send-queue.ts";
import { ownSettings, PeerSettings } from "./settings.ts";
import type { Slab } from "./slab.ts";
import type { Http2Stream } from "./stream.ts";
import { StreamErrors } from "./stream-errors.ts";
import { StreamTable } from "./stream-table.ts";
import type { Turn, Writer } from "./turn.ts";

/** What all connections of a carrier share. */
export interface SessionContext extends CarrierContext {
  readonly app: App;
  readonly turn: Turn;
  /** The socket is closed. */
  closed(session: Http2Session): void;
}

/** What a connection is told by the watch to send. */
export type PingKind = "alive" | "leaving";

/** What they carry, by which their answers are told apart. */
const PINGS: Readonly<Record<PingKind, Buffer>> = {
  alive: Buffer.alloc(8, 1),
  leaving: Buffer.alloc(8, 2),
};

/**
 * One HTTP/2 connection: the socket, and what is said on it about the connection itself. Frames are taken apart by
 * {@link Incoming}, put together by {@link SendQueue}; {@link SessionWatch} looks at it from time to time.
 */
export class Http2Session implements IncomingOwner, SendObserver, Writer {
  readonly secure: boolean;
  readonly peer: string;
  /** When it has to go (see {@link Departure}). */
  readonly timeToGo: number;
  readonly openedAt: number;
  /** Since when a write has been lying in the socket, on {@link Clock.monotonic}; `undefined`: the kernel took it. */
  blockedSince: number | undefined;
  /** When the last word was said: from then on the peer is only read away. */
  endedAt: number | undefined;
  readonly incoming: Incoming;
  #drains = 0;
  readonly #context: SessionContext;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #guard: FloodGuard;
  readonly #streams = new StreamTable();
  readonly #queue = new SendQueue(this);
  #toTell: Http2Stream[] = [];
  #told: Http2Stream[] = [];
  #telling = false;
  #scheduled = false;
  /** Whether there may be streams whose answer is complete while their request is not. */
  #answeredEarly = false;
  /** It is closed after its last stream. */
  #leaving = false;
  /** The peer knows which of its streams was the last. */
  #lastSaid = false;
  readonly #onPong: Record<PingKind, (() => void) | undefined> = { alive: undefined, leaving: undefined };
  #failed = false;

  constructor(socket: Socket, context: SessionContext) {
    const { limits, clock, departure } = context;
    this.#context = context;
    this.#socket = socket;
    this.secure = "encrypted" in socket;
    // Asked for now, since a closed socket does not know it any more.
    this.peer = peerOf(socket);
    this.openedAt = clock.monotonic();
    this.timeToGo = departure.timeToGo();
    this.#guard = new FloodGuard(clock, limits);
    this.incoming = new Incoming(this, {
      owner: this,
      streams: this.#streams,
      queue: this.#queue,
      errors: new StreamErrors(this, this.#streams, this.#queue, this.#guard),
      guard: this.#guard,
      peer: new PeerSettings(),
      limits,
      clock,
    });
    this.#reader = new FrameReader(this.incoming);
    this.#control(ownSettings(limits));
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => this.#drain());
    // A peer that says no more cannot widen a window or ask anything; what it has asked is given up.
    socket.on("end", () => this.#cutAll());
    socket.on("close", () => this.#close());
    socket.resume();
  }

  /** Whether some of what was written is still with the socket, for a peer that may yet read it. */
  get unsent(): boolean {
    return this.#socket.writableLength > 0 && !this.#failed;
  }

  /** Bytes of bodies that have been sent, and that the peer has not shown to have read. */
  get unreadBytes(): number {
    return this.#queue.unreadBytes;
  }

  /** Changes with each frame from the peer, and when it has read so much that the socket takes more. */
  get signsOfLife(): number {
    return this.incoming.frames + this.#drains;
  }

  open(stream: Http2Stream): void {
    this.#context.app(stream);
  }

  arrived(stream: Http2Stream): void {
    if (stream.telling) return;
    stream.telling = true;
    this.#toTell.push(stream);
  }

  tellLater(stream: Http2Stream): void {
    this.arrived(stream);
    this.#schedule();
  }

  sendLater(stream: Http2Stream, bytes: number): void {
    this.#queue.waitingBytes += bytes;
    this.#queue.add(stream);
    this.#schedule();
  }

  cut(stream: Http2Stream, code: ResetCode): void {
    this.#control(resetFrame(stream.id, ErrorCode[code]));
    this.lost(stream, "reset here");
  }

  widen(stream: Http2Stream, bytes: number): void {
    this.#control(windowUpdateFrame(stream.id, bytes));
  }

  lost(stream: Http2Stream, ending: "reset by peer" | "reset here"): void {
    this.#streams.remove(stream, ending);
    // The rest of a request that was answered is lost to nobody.
    stream.outcome ??= "cut";
    this.#queue.remove(stream);
    this.arrived(stream);
  }

  sentData(): void {
    this.#guard.sentData();
  }

  drained(stream: Http2Stream): void {
    if (!stream.waits) return;
    stream.waits = false;
    stream.drainedDue = true;
    this.arrived(stream);
  }

  finished(stream: Http2Stream): void {
    stream.outcome = "answered";
    if (stream.remoteEnded) this.#streams.remove(stream, "complete");
    else {
      stream.waitsSince = undefined;
      this.#answeredEarly = true;
    }
    this.arrived(stream);
  }

  /** Sends a PING; `then` is called when it is answered. */
  ping(kind: PingKind, then: () => void): void {
    this.#onPong[kind] = then;
    this.#control(pingFrame(0, PINGS[kind], 0));
  }

  pinged(bytes: Buffer, start: number): void {
    this.#queue.unreadBytes = 0;
    for (const kind of ["alive", "leaving"] as const) {
      const then = this.#onPong[kind];
      if (then === undefined || !PINGS[kind].equals(bytes.subarray(start, start + 8))) continue;
      this.#onPong[kind] = undefined;
      then();
    }
  }

  peerLeaves(): void {
    this.#leaving = true;
    this.#schedule();
  }

  /** Says that the connection will end: no stream is refused yet, and none is lost (RFC 9113 §6.8). */
  announceEnd(): void {
    this.#control(goawayFrame(MAX_31_BITS, ErrorCode.NO_ERROR));
  }

  /** Takes no more streams; the connection ends after the last one that is open. */
  refuseNew(): void {
    if (this.#lastSaid) return;
    this.#lastSaid = true;
    const { requests } = this.incoming;
    requests.lastTaken = requests.lastStream;
    this.#control(goawayFrame(requests.lastStream, ErrorCode.NO_ERROR));
    this.#leaving = true;
  }

  /**
   * Resets the calls of whose answers nothing has left for `answerMs`, since the peer does not widen a window; and tells
   * it to stop sending, without an error, what of a request has not come `requestMs` after the answer (RFC 9113 §8.1).
   */
  cutStalled(now: number, answerMs: number, requestMs: number): void {
    if (this.#queue.waitingBytes === 0 && !this.#answeredEarly) return;
    this.#answeredEarly = false;
    for (const stream of this.#streams.open()) {
      const answered = stream.outcome === "answered";
      if (!answered && stream.body.length === 0) continue;
      stream.waitsSince ??= now;
      if (now - stream.waitsSince >= (answered ? requestMs : answerMs))
        this.cut(stream, answered ? "NO_ERROR" : "CANCEL");
      else if (answered) this.#answeredEarly = true;
    }
  }

  /** Ends the connection because of an error: GOAWAY, and nothing more. */
  fail(code: number, message: string): void {
    if (this.#failed || this.endedAt !== undefined) return;
    this.#failed = true;
    this.#cutAll();
    this.#queue.control(goawayFrame(this.incoming.requests.lastStream, code, message));
    this.#schedule();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  write(slab: Slab, date: Buffer): void {
    this.#scheduled = false;
    // What receivers do now, when they are told of earlier things, leaves with this write.
    this.#tell();
    const socket = this.#socket;
    if (this.endedAt !== undefined || !socket.writable) return;
    if (this.blockedSince === undefined && this.#queue.ready) {
      this.#queue.fill(slab, date);
      const { written } = slab;
      if (written.length > 0) socket.write(written);
      const kept = socket.writableLength > 0;
      slab.next(kept);
      if (kept && socket.writableNeedDrain) this.blockedSince = this.#context.clock.monotonic();
      else if (this.#queue.ready) this.#schedule();
    }
    this.#tell();
    if (this.#failed || (this.#leaving && this.#streams.size === 0)) {
      // When the peer goes by itself, it has not been told yet which of its streams was the last.
      if (!this.#failed) this.refuseNew();
      if (this.#queue.ready && this.blockedSince === undefined) return;
      this.#end();
    }
  }

  #read(chunk: Buffer): void {
    if (this.#failed || this.endedAt !== undefined) return;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code, error.message);
      else if (error instanceof HpackError) this.fail(ErrorCode.COMPRESSION_ERROR, error.message);
      else throw error;
    }
    if (this.#queue.overfull) this.fail(ErrorCode.ENHANCE_YOUR_CALM, "too many answers are not read");
    this.#tell();
    // The end of the last stream is also the end of a connection that leaves, and nothing need be sent for it.
    if (this.#queue.ready || this.#leaving) this.#schedule();
  }

  #drain(): void {
    this.blockedSince = undefined;
    this.#drains++;
    if (this.#queue.ready) this.#schedule();
  }

  #control(frame: Buffer): void {
    this.#queue.control(frame);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#context.turn.add(this);
  }

  /** Tells what there is to tell, and what comes of it. */
  #tell(): void {
    // A receiver that is told something may bring this about again; the loop that runs sees to it.
    if (this.#telling) return;
    this.#telling = true;
    while (this.#toTell.length > 0) {
      const streams = this.#toTell;
      this.#toTell = this.#told;
      for (const stream of streams) stream.tell();
      streams.length = 0;
      this.#told = streams;
    }
    this.#telling = false;
  }

  #cutAll(): void {
    for (const stream of this.#streams.open()) {
      this.#streams.remove(stream, "reset by peer");
      stream.outcome ??= "cut";
      this.#queue.remove(stream);
      this.arrived(stream);
    }
    this.#tell();
  }

  /** Says nothing more, and leaves the peer time to hear the last words before the watch closes the socket. */
  #end(): void {
    this.endedAt = this.#context.clock.monotonic();
    this.#socket.end();
    // What a peer at fault still sends waits in the kernel: to read it away would serve a flood.
    if (this.#failed) this.#socket.pause();
  }

  #close(): void {
    this.endedAt ??= this.#context.clock.monotonic();
    this.#cutAll();
    this.#context.closed(this);
  }
}
