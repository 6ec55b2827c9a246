import type { Clock } from "../../lib/clock.ts";
import type { ListenerLimits } from "../limits.ts";
import type { FloodGuard } from "./flood-guard.ts";
import {
  ConnectionError,
  DEFAULT_WINDOW,
  ErrorCode,
  FrameFlag,
  MAX_31_BITS,
  PRIORITY_BYTES,
  protocolError,
} from "./frame.ts";
import { windowUpdateFrame } from "./frame-writer.ts";
import { HeaderBlock } from "./header-block.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { areTrailers, type RequestHead, readRequestHead } from "./request-head.ts";
import type { SendQueue } from "./send-queue.ts";
import type { PeerSettings } from "./settings.ts";
import { Http2Stream, type StreamOwner } from "./stream.ts";
import type { StreamErrors } from "./stream-errors.ts";
import type { StreamTable } from "./stream-table.ts";

/** Who takes the requests. */
export interface RequestOwner extends StreamOwner {
  /** A stream has something to tell at the end of this read. */
  arrived(stream: Http2Stream): void;
}

/** What requests are made with: the parts of their connection. */
export interface RequestParts {
  readonly owner: RequestOwner;
  readonly streams: StreamTable;
  readonly queue: SendQueue;
  readonly errors: StreamErrors;
  readonly guard: FloodGuard;
  readonly peer: PeerSettings;
  readonly limits: ListenerLimits;
  readonly clock: Clock;
}

/** Below half of its window the connection is widened again. */
const WIDEN_BYTES = DEFAULT_WINDOW >>> 1;

/** The requests of a peer: HEADERS, CONTINUATION and DATA, and the streams that they open and end (RFC 9113 §8.1). */
export class Requests {
  /** The newest stream that the peer has opened. */
  lastStream = 0;
  /** New streams above this id are taken no more (GOAWAY has said so). */
  lastTaken = MAX_31_BITS;
  /** A header block whose end has not come. */
  openBlock: HeaderBlock | undefined;
  readonly #owner: RequestOwner;
  readonly #streams: StreamTable;
  readonly #queue: SendQueue;
  readonly #errors: StreamErrors;
  readonly #guard: FloodGuard;
  readonly #peer: PeerSettings;
  readonly #limits: ListenerLimits;
  readonly #clock: Clock;
  readonly #hpack = new HpackDecoder();
  #window = DEFAULT_WINDOW;
  /** Header lists repeat; their identity tells that the request head has been read before. */
  #lastList: readonly string[] | undefined;
  #lastHead: RequestHead | undefined;

  constructor({ owner, streams, queue, errors, guard, peer, limits, clock }: RequestParts) {
    this.#owner = owner;
    this.#streams = streams;
    this.#queue = queue;
    this.#errors = errors;
    this.#guard = guard;
    this.#peer = peer;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** RFC 9113 §6.1. */
  data(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw protocolError("DATA on stream 0");
    const length = end - start;
    this.#countData(length);
    let from = start;
    let to = end;
    if ((flags & FrameFlag.PADDED) !== 0) {
      to = end - paddingOf(bytes, start, end);
      from = start + 1;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#frameOfClosed(id);
      return;
    }
    if (stream.remoteEnded) {
      this.#errors.fail(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    stream.receiveWindow -= length;
    stream.received += to - from;
    const { contentLength } = stream;
    if (stream.receiveWindow < 0) this.#errors.fail(stream, ErrorCode.FLOW_CONTROL_ERROR);
    else if (contentLength >= 0 && stream.received > contentLength)
      this.#errors.fail(stream, ErrorCode.PROTOCOL_ERROR);
    else {
      const isLast = (flags & FrameFlag.END_STREAM) !== 0;
      if (stream.outcome === undefined && to > from) stream.arrive(bytes.subarray(from, to));
      else if (!isLast) this.#guard.idleFrame();
      if (to - from < length) stream.take(length - (to - from));
      if (isLast) this.#endRequest(stream);
      this.#owner.arrived(stream);
    }
  }

  /**
   * The window of the connection is widened for what has arrived and not for what was taken: what may lie here is
   * bounded by the windows of the streams, and a stream that pauses must not stop the others.
   */
  #countData(length: number): void {
    this.#window -= length;
    if (this.#window < 0)
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "more than the window of the connection");
    if (DEFAULT_WINDOW - this.#window < WIDEN_BYTES) return;
    this.#queue.control(windowUpdateFrame(0, DEFAULT_WINDOW - this.#window));
    this.#window = DEFAULT_WINDOW;
  }

  /** RFC 9113 §6.2. */
  headers(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0 || (id & 1) === 0) throw protocolError(`HEADERS on stream ${id}`);
    let from = start;
    let to = end;
    if ((flags & FrameFlag.PADDED) !== 0) {
      to -= paddingOf(bytes, start, end);
      from++;
    }
    if ((flags & FrameFlag.PRIORITY) !== 0) {
      if (to - from < PRIORITY_BYTES)
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without its priority");
      if ((bytes.readUInt32BE(from) & MAX_31_BITS) === id)
        throw protocolError("a stream that depends on itself");
      from += PRIORITY_BYTES;
    }
    const block = bytes.subarray(from, to);
    if ((flags & FrameFlag.END_HEADERS) !== 0) this.#wholeBlock(id, flags, block);
    else {
      const { headerListBytes } = this.#limits;
      this.openBlock = new HeaderBlock(id, flags, block, this.#clock.monotonic(), headerListBytes);
    }
  }

  /** RFC 9113 §6.10. */
  continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.openBlock;
    if (block === undefined) throw protocolError("CONTINUATION of nothing");
    block.add(bytes.subarray(start, end));
    if ((flags & FrameFlag.END_HEADERS) === 0) return;
    this.openBlock = undefined;
    this.#wholeBlock(block.stream, block.flags, block.bytes());
  }

  /** Decoded whatever becomes of its stream, or HPACK's table would be out of step (RFC 9113 §4.3). */
  #wholeBlock(id: number, flags: number, block: Buffer): void {
    const list = this.#hpack.decode(block, this.#limits);
    if (id > this.lastStream) this.#open(id, flags, list);
    else this.#trailers(id, flags, list);
  }

  #open(id: number, flags: number, list: readonly string[] | "too large"): void {
    this.lastStream = id;
    if (id > this.lastTaken) {
      this.#guard.idleFrame();
      return;
    }
    this.#guard.opened();
    if (list === "too large") {
      this.#errors.refuse(id, ErrorCode.ENHANCE_YOUR_CALM);
      return;
    }
    if (
      this.#streams.size >= this.#limits.streamsPerSession ||
      this.#queue.waitingBytes > this.#limits.sessionMemoryMiB * 2 ** 20
    ) {
      this.#errors.refuse(id, ErrorCode.REFUSED_STREAM);
      return;
    }
    const head = this.#headOf(list);
    const ends = (flags & FrameFlag.END_STREAM) !== 0;
    if (head === undefined || (ends && head.contentLength > 0)) {
      this.#errors.refuse(id, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    const stream = new Http2Stream(this.#owner, id, head, this.#peer.initialWindow);
    stream.remoteEnded = ends;
    this.#streams.add(stream);
    this.#owner.arrived(stream);
  }

  #headOf(list: readonly string[]): RequestHead | undefined {
    if (list !== this.#lastList) {
      this.#lastHead = readRequestHead(list);
      this.#lastList = list;
    }
    return this.#lastHead;
  }

  /** A second header block of a stream: trailers, in which no RPC protocol says anything (RFC 9113 §8.1). */
  #trailers(id: number, flags: number, list: readonly string[] | "too large"): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      const ending = id > this.lastTaken ? "reset here" : this.#streams.endingOf(id);
      if (ending === undefined) throw protocolError(`stream ${id} is older than ${this.lastStream}`);
      if (ending !== "reset here")
        throw new ConnectionError(ErrorCode.STREAM_CLOSED, "HEADERS behind the end of a stream");
      this.#guard.idleFrame();
    } else if (stream.remoteEnded) this.#errors.fail(stream, ErrorCode.STREAM_CLOSED);
    else if (list === "too large") this.#errors.fail(stream, ErrorCode.ENHANCE_YOUR_CALM);
    else if ((flags & FrameFlag.END_STREAM) === 0 || !areTrailers(list))
      this.#errors.fail(stream, ErrorCode.PROTOCOL_ERROR);
    else {
      this.#endRequest(stream);
      this.#owner.arrived(stream);
    }
  }

  #endRequest(stream: Http2Stream): void {
    if (stream.contentLength >= 0 && stream.received !== stream.contentLength)
      this.#errors.fail(stream, ErrorCode.PROTOCOL_ERROR);
    else {
      stream.remoteEnded = true;
      if (stream.outcome === "answered") this.#streams.remove(stream, "complete");
    }
  }

  /** A frame of a stream that was never opened is an error of the connection (RFC 9113 §5.1). @throws ConnectionError */
  mustHaveBegun(id: number, what: string): void {
    if (id === 0 || (id & 1) === 0 || id > this.lastStream)
      throw protocolError(`${what} on stream ${id}, which is idle`);
  }

  /** DATA of a stream that is not open: on its way when the gateway reset it, or a mistake. */
  #frameOfClosed(id: number): void {
    this.mustHaveBegun(id, "DATA");
    if (id > this.lastTaken || this.#streams.endingOf(id) === "reset here") this.#guard.idleFrame();
    else this.#errors.refuse(id, ErrorCode.STREAM_CLOSED);
  }
}

/** How much padding stands behind the payload of a frame (RFC 9113 §6.1, §4.2). */
function paddingOf(bytes: Buffer, start: number, end: number): number {
  if (end === start) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "no length of the padding");
  const padding = bytes[start] as number;
  if (end - start < 1 + padding) throw protocolError("more padding than frame");
  return padding;
}
