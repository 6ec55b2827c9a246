import {
  ConnectionError,
  DEFAULT_WINDOW,
  ErrorCode,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES,
  FrameFlag,
  FrameType,
  MAX_31_BITS,
} from "./frame.ts";
import { writeFrameHeader } from "./frame-writer.ts";
import type { Slab } from "./slab.ts";
import type { Http2Stream } from "./stream.ts";

/** Answers to PING, SETTINGS and bad streams that may wait for a peer who does not read. */
const CONTROL_FRAMES_MAX = 1_000;

/** A frame is not cut into a rest of the slab smaller than this. */
const LEAST_DATA_BYTES = 1_024;

/** What the queue tells as frames are put into a write. */
export interface SendObserver {
  /** A piece of a body is in the write. */
  sentData(): void;
  /** All that a stream had is in the write, and its answer goes on. */
  drained(stream: Http2Stream): void;
  /** The last frame of an answer is in the write. */
  finished(stream: Http2Stream): void;
}

/**
 * What a connection has to send: control frames first, then the streams by turns, a frame each, so that a large answer
 * does not hold up small ones. Heeds the flow-control windows of the peer (RFC 9113 §5.2, §6.9).
 */
export class SendQueue {
  /** Bytes of bodies that wait. */
  waitingBytes = 0;
  /** Bytes of bodies that have been sent since the peer widened the window of the connection, or answered a PING. */
  unreadBytes = 0;
  /** Begins the next header block, when the peer has made its table smaller (RFC 7541 §4.2). */
  tableUpdate: Buffer | undefined;
  readonly #observer: SendObserver;
  #control: Buffer[] = [];
  #window = DEFAULT_WINDOW;
  #first: Http2Stream | undefined;
  #last: Http2Stream | undefined;
  /** Streams that wait for the window of the connection. */
  #starved: Http2Stream[] = [];

  constructor(observer: SendObserver) {
    this.#observer = observer;
  }

  /** Whether there is something that could leave. */
  get ready(): boolean {
    return this.#first !== undefined || this.#control.length > 0;
  }

  /** Whether more control frames wait than a peer who reads would let wait. */
  get overfull(): boolean {
    return this.#control.length > CONTROL_FRAMES_MAX;
  }

  /** Queues a frame that no window holds up. */
  control(frame: Buffer): void {
    this.#control.push(frame);
  }

  /** Queues a stream that has something to send. */
  add(stream: Http2Stream): void {
    if (stream.queued) return;
    stream.queued = true;
    stream.nextQueued = undefined;
    if (this.#last === undefined) this.#first = stream;
    else this.#last.nextQueued = stream;
    this.#last = stream;
  }

  /** Forgets a stream that is cut: for the window of the connection it could wait as long as its peer likes. */
  remove(stream: Http2Stream): void {
    for (const chunk of stream.body) this.waitingBytes -= chunk.length;
    this.waitingBytes += stream.bodySent;
    stream.body.length = 0;
    stream.bodySent = 0;
    stream.headBlock = undefined;
    stream.trailerBlock = undefined;
    const at = stream.queued ? this.#starved.indexOf(stream) : -1;
    if (at >= 0) this.#starved.splice(at, 1);
  }

  /** The peer takes more on the whole connection. @throws ConnectionError */
  widen(bytes: number): void {
    this.unreadBytes = 0;
    this.#window += bytes;
    if (this.#window > MAX_31_BITS)
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "a window above 2^31-1");
    if (this.#window <= 0 || this.#starved.length === 0) return;
    const starved = this.#starved;
    this.#starved = [];
    for (const stream of starved) {
      stream.queued = false;
      this.add(stream);
    }
  }

  /** Puts what may leave into the slab; `date` is the field for header blocks. Stops when the slab is full. */
  fill(slab: Slab, date: Buffer): void {
    for (;;) {
      // The end of a stream may have added some.
      if (this.#control.length > 0 && !this.#fillControl(slab)) return;
      const stream = this.#first;
      if (stream === undefined) return;
      const verdict = stream.outcome === undefined ? this.#emit(stream, slab, date) : "idle";
      if (verdict === "full") return;
      this.#first = stream.nextQueued;
      if (this.#first === undefined) this.#last = undefined;
      stream.nextQueued = undefined;
      // A starved one stays marked, since it waits elsewhere.
      stream.queued = verdict === "starved";
      if (verdict === "more") this.add(stream);
      else if (verdict === "starved") this.#starved.push(stream);
    }
  }

  /** False: the slab is full before all are in it. */
  #fillControl(slab: Slab): boolean {
    const control = this.#control;
    let at = 0;
    for (; at < control.length; at++) {
      const frame = control[at] as Buffer;
      slab.fit(frame.length);
      if (frame.length > slab.room) break;
      slab.add(frame);
    }
    const all = at === control.length;
    if (all) control.length = 0;
    else this.#control = control.slice(at);
    return all;
  }

  /** Puts the next frames of a stream into the slab: its head, one piece of body, its trailers. */
  #emit(stream: Http2Stream, slab: Slab, date: Buffer): "idle" | "more" | "full" | "starved" {
    const { headBlock, body, trailerBlock } = stream;
    if (headBlock !== undefined) {
      const ends = stream.ending && body.length === 0 && trailerBlock === undefined;
      if (!this.#writeBlock(slab, stream.id, ends, headBlock, date)) return "full";
      stream.headBlock = undefined;
      if (ends) return this.#finish(stream);
    }
    if (body.length > 0) {
      const verdict = this.#writeData(stream, slab);
      if (verdict !== "sent") return verdict;
      if (body.length > 0) return "more";
      if (stream.ending && trailerBlock === undefined) return this.#finish(stream);
    }
    if (trailerBlock !== undefined) {
      if (!this.#writeBlock(slab, stream.id, true, trailerBlock, undefined)) return "full";
      stream.trailerBlock = undefined;
      return this.#finish(stream);
    }
    if (stream.ending) {
      if (slab.room < FRAME_HEADER_BYTES) return "full";
      slab.at = writeFrameHeader(slab.bytes, slab.at, 0, FrameType.DATA, FrameFlag.END_STREAM, stream.id);
      return this.#finish(stream);
    }
    this.#observer.drained(stream);
    return "idle";
  }

  #finish(stream: Http2Stream): "idle" {
    this.#observer.finished(stream);
    return "idle";
  }

  /** One DATA frame, as large as both windows, the slab and the largest frame let it be. */
  #writeData(stream: Http2Stream, slab: Slab): "sent" | "idle" | "full" | "starved" {
    const chunk = stream.body[0] as Uint8Array;
    const left = chunk.length - stream.bodySent;
    const window = Math.min(stream.sendWindow, this.#window);
    if (window <= 0) return stream.sendWindow <= 0 ? "idle" : "starved";
    const wanted = Math.min(left, window, FRAME_PAYLOAD_BYTES);
    const room = slab.room - FRAME_HEADER_BYTES;
    if (room < wanted && room < LEAST_DATA_BYTES) return "full";
    const size = Math.min(wanted, room);
    const isLast = size === left && stream.body.length === 1;
    const flags = isLast && stream.ending && stream.trailerBlock === undefined ? FrameFlag.END_STREAM : 0;
    const { bytes } = slab;
    const at = writeFrameHeader(bytes, slab.at, size, FrameType.DATA, flags, stream.id);
    bytes.set(size === chunk.length ? chunk : chunk.subarray(stream.bodySent, stream.bodySent + size), at);
    slab.at = at + size;
    stream.sendWindow -= size;
    this.#window -= size;
    this.unreadBytes += size;
    this.waitingBytes -= size;
    stream.waitsSince = undefined;
    if (size === left) {
      if (isLast) stream.body.length = 0;
      else stream.body.shift();
      stream.bodySent = 0;
    } else stream.bodySent += size;
    this.#observer.sentData();
    return "sent";
  }

  /** A header block, in as many frames as it needs, which nothing may come between (RFC 9113 §6.10). False: no room. */
  #writeBlock(slab: Slab, id: number, ends: boolean, block: Buffer, date: Buffer | undefined): boolean {
    const update = this.tableUpdate;
    const length = block.length + (update?.length ?? 0) + (date?.length ?? 0);
    const flags = ends ? FrameFlag.END_STREAM : 0;
    const frames = Math.max(1, Math.ceil(length / FRAME_PAYLOAD_BYTES));
    const needed = length + frames * FRAME_HEADER_BYTES;
    slab.fit(needed);
    if (slab.room < needed) return false;
    this.tableUpdate = undefined;
    if (frames === 1) {
      slab.at = writeFrameHeader(
        slab.bytes,
        slab.at,
        length,
        FrameType.HEADERS,
        flags | FrameFlag.END_HEADERS,
        id,
      );
      if (update) slab.add(update);
      slab.add(block);
      if (date) slab.add(date);
      return true;
    }
    const whole = Buffer.concat([update, block, date].filter((part) => part !== undefined));
    for (let at = 0; at < length; at += FRAME_PAYLOAD_BYTES) {
      const piece = whole.subarray(at, at + FRAME_PAYLOAD_BYTES);
      const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const last = at + FRAME_PAYLOAD_BYTES >= length ? FrameFlag.END_HEADERS : 0;
      slab.at = writeFrameHeader(slab.bytes, slab.at, piece.length, type, (at === 0 ? flags : 0) | last, id);
      slab.add(piece);
    }
    return true;
  }
}
