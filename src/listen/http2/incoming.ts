import type { Clock } from "../../lib/clock.ts";
import type { ListenerLimits } from "../limits.ts";
import { FloodGuard } from "./flood-guard.ts";
import { ConnectionError, DEFAULT_WINDOW, ErrorCode, FrameFlag, FrameType, MAX_31_BITS } from "./frame.ts";
import type { FrameSink } from "./frame-reader.ts";
import { pingFrame, resetFrame, SETTINGS_ACK, windowUpdateFrame } from "./frame-writer.ts";
import { HeaderBlock } from "./header-block.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { encodeTableSizeUpdate } from "./hpack-encoder.ts";
import { areTrailers, type RequestHead, readRequestHead } from "./request-head.ts";
import type { SendQueue } from "./send-queue.ts";
import { PeerSettings } from "./settings.ts";
import { Http2Stream, type StreamOwner } from "./stream.ts";
import type { StreamTable } from "./stream-table.ts";

/** What the frames of a peer mean for the connection as a whole. */
export interface IncomingOwner extends StreamOwner {
  /** A stream has something to tell at the end of this read. */
  arrived(stream: Http2Stream): void;
  /** The exchange is over because the peer reset it, or did what it must not. */
  lost(stream: Http2Stream, ending: "reset by peer" | "reset here"): void;
  /** The peer has answered a PING of ours; its eight bytes begin at `start`. */
  pinged(bytes: Buffer, start: number): void;
  /** The peer goes, and opens no stream any more. */
  peerLeaves(): void;
}

/** Below half of its window the connection is widened again. */
const WIDEN_BYTES = DEFAULT_WINDOW >>> 1;

/**
 * The frames of a peer, one by one (RFC 9113 §5, §6): which are allowed now, and what follows from them. Everything a
 * peer may do wrong is here: an error of a stream resets it and is counted, an error of the connection is thrown.
 */
export class Incoming implements FrameSink {
  /** The newest stream that the peer has opened. */
  lastStream = 0;
  /** New streams above this id are taken no more (GOAWAY has said so). */
  lastTaken = MAX_31_BITS;
  /** A header block whose end has not come. */
  openBlock: HeaderBlock | undefined;
  /** Whether the peer has acknowledged our SETTINGS. */
  settingsHeard = false;
  readonly #owner: IncomingOwner;
  readonly #streams: StreamTable;
  readonly #queue: SendQueue;
  readonly #limits: ListenerLimits;
  readonly #clock: Clock;
  readonly #guard: FloodGuard;
  readonly #hpack = new HpackDecoder();
  readonly #peer = new PeerSettings();
  #settingsSeen = false;
  #window = DEFAULT_WINDOW;
  /** Header lists repeat; their identity tells that the request head has been read before. */
  #lastList: readonly string[] | undefined;
  #lastHead: RequestHead | undefined;

  constructor(
    owner: IncomingOwner,
    streams: StreamTable,
    queue: SendQueue,
    limits: ListenerLimits,
    clock: Clock,
  ) {
    this.#owner = owner;
    this.#streams = streams;
    this.#queue = queue;
    this.#limits = limits;
    this.#clock = clock;
    this.#guard = new FloodGuard(clock, limits);
  }

  /** A piece of an answer has left, and the peer may say that it has taken it. */
  sentData(): void {
    this.#guard.sentData();
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.openBlock !== undefined) {
      if (type !== FrameType.CONTINUATION || id !== this.openBlock.stream)
        throw protocolError("another frame within a header block");
    } else if (!this.#settingsSeen && (type !== FrameType.SETTINGS || (flags & FrameFlag.ACK) !== 0))
      throw protocolError("the first frame has to be SETTINGS");
    switch (type) {
      case FrameType.DATA:
        this.#data(flags, id, bytes, start, end);
        break;
      case FrameType.HEADERS:
        this.#headers(flags, id, bytes, start, end);
        break;
      case FrameType.PRIORITY:
        this.#priority(id, bytes, start, end);
        break;
      case FrameType.RST_STREAM:
        this.#reset(id, end - start);
        break;
      case FrameType.SETTINGS:
        this.#settings(flags, id, bytes, start, end);
        break;
      case FrameType.PUSH_PROMISE:
        throw protocolError("a client pushes nothing");
      case FrameType.PING:
        this.#ping(flags, id, bytes, start, end);
        break;
      case FrameType.GOAWAY:
        this.#goaway(id, end - start);
        break;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdate(id, bytes, start, end);
        break;
      case FrameType.CONTINUATION:
        this.#continuation(flags, bytes, start, end);
        break;
      default:
        // RFC 9113 §4.1: frames of unknown types are ignored.
        this.#guard.idleFrame();
    }
  }

  /** RFC 9113 §6.1. */
  #data(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
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
      this.#fail(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    stream.receiveWindow -= length;
    stream.received += to - from;
    const { contentLength } = stream;
    if (stream.receiveWindow < 0) this.#fail(stream, ErrorCode.FLOW_CONTROL_ERROR);
    else if (contentLength >= 0 && stream.received > contentLength)
      this.#fail(stream, ErrorCode.PROTOCOL_ERROR);
    else {
      if (to > from) stream.arrive(bytes.subarray(from, to));
      else if ((flags & FrameFlag.END_STREAM) === 0) this.#guard.idleFrame();
      if (to - from < length) stream.take(length - (to - from));
      if ((flags & FrameFlag.END_STREAM) !== 0) this.#endRequest(stream);
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
  #headers(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0 || (id & 1) === 0) throw protocolError(`HEADERS on stream ${id}`);
    let from = start;
    let to = end;
    if ((flags & FrameFlag.PADDED) !== 0) {
      to -= paddingOf(bytes, start, end);
      from++;
    }
    if ((flags & FrameFlag.PRIORITY) !== 0) {
      if (to - from < PRIORITY_BYTES) throw protocolError("HEADERS without its priority");
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
  #continuation(flags: number, bytes: Buffer, start: number, end: number): void {
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
    if (id > this.lastTaken) return;
    this.#guard.opened();
    if (list === "too large") {
      this.#refuse(id, ErrorCode.ENHANCE_YOUR_CALM);
      return;
    }
    if (
      this.#streams.size >= this.#limits.streamsPerSession ||
      this.#queue.waitingBytes > this.#limits.sessionMemoryMiB * 2 ** 20
    ) {
      this.#refuse(id, ErrorCode.REFUSED_STREAM);
      return;
    }
    const head = this.#headOf(list);
    const ends = (flags & FrameFlag.END_STREAM) !== 0;
    if (head === undefined || (ends && head.contentLength > 0)) {
      this.#refuse(id, ErrorCode.PROTOCOL_ERROR);
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
      const ending = this.#streams.endingOf(id);
      if (ending === undefined) throw protocolError(`stream ${id} is older than ${this.lastStream}`);
      if (ending !== "reset here")
        throw new ConnectionError(ErrorCode.STREAM_CLOSED, "HEADERS behind the end of a stream");
      this.#guard.idleFrame();
    } else if (stream.remoteEnded) this.#fail(stream, ErrorCode.STREAM_CLOSED);
    else if (list === "too large") this.#fail(stream, ErrorCode.ENHANCE_YOUR_CALM);
    else if ((flags & FrameFlag.END_STREAM) === 0 || !areTrailers(list))
      this.#fail(stream, ErrorCode.PROTOCOL_ERROR);
    else {
      this.#endRequest(stream);
      this.#owner.arrived(stream);
    }
  }

  #endRequest(stream: Http2Stream): void {
    if (stream.contentLength >= 0 && stream.received !== stream.contentLength)
      this.#fail(stream, ErrorCode.PROTOCOL_ERROR);
    else stream.remoteEnded = true;
  }

  /** RFC 9113 §6.3: nothing depends on priorities here, but a malformed one is an error. */
  #priority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw protocolError("PRIORITY on stream 0");
    this.#guard.idleFrame();
    const isWhole = end - start === PRIORITY_BYTES;
    if (isWhole && (bytes.readUInt32BE(start) & MAX_31_BITS) !== id) return;
    const code = isWhole ? ErrorCode.PROTOCOL_ERROR : ErrorCode.FRAME_SIZE_ERROR;
    const stream = this.#streams.get(id);
    // A stream that is not open cannot be reset.
    if (stream === undefined) throw new ConnectionError(code, "a malformed PRIORITY");
    this.#fail(stream, code);
  }

  /** RFC 9113 §6.4. */
  #reset(id: number, length: number): void {
    if (length !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM has 4 bytes");
    this.#mustHaveBegun(id, "RST_STREAM");
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#guard.idleFrame();
      return;
    }
    this.#guard.reset();
    this.#owner.lost(stream, "reset by peer");
  }

  /** RFC 9113 §6.5. */
  #settings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("SETTINGS on a stream");
    this.#guard.idleFrame();
    if ((flags & FrameFlag.ACK) !== 0) {
      if (end > start) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "an ACK is empty");
      this.settingsHeard = true;
      return;
    }
    this.#settingsSeen = true;
    const { initialWindow, headerTableBytes } = this.#peer;
    this.#peer.read(bytes, start, end);
    // The answers use no table, so that announcing none is true for all sizes that may still come.
    if (this.#peer.headerTableBytes < headerTableBytes) this.#queue.tableUpdate = encodeTableSizeUpdate(0);
    if (this.#peer.initialWindow !== initialWindow)
      for (const stream of this.#streams.open())
        if (!this.#widen(stream, this.#peer.initialWindow - initialWindow))
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "a window above 2^31-1");
    this.#queue.control(SETTINGS_ACK);
  }

  /** RFC 9113 §6.7. */
  #ping(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("PING on a stream");
    if (end - start !== 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "PING has 8 bytes");
    this.#guard.idleFrame();
    if ((flags & FrameFlag.ACK) !== 0) this.#owner.pinged(bytes, start);
    else this.#queue.control(pingFrame(FrameFlag.ACK, bytes, start));
  }

  /** RFC 9113 §6.8. */
  #goaway(id: number, length: number): void {
    if (id !== 0) throw protocolError("GOAWAY on a stream");
    if (length < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY has 8 bytes at least");
    this.#guard.idleFrame();
    this.#owner.peerLeaves();
  }

  /** RFC 9113 §6.9. */
  #windowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE has 4 bytes");
    this.#guard.idleFrame();
    const increment = bytes.readUInt32BE(start) & MAX_31_BITS;
    if (id === 0) {
      if (increment === 0) throw protocolError("a window wider by 0");
      this.#queue.widen(increment);
      return;
    }
    this.#mustHaveBegun(id, "WINDOW_UPDATE");
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (increment === 0) this.#fail(stream, ErrorCode.PROTOCOL_ERROR);
    else if (!this.#widen(stream, increment)) this.#fail(stream, ErrorCode.FLOW_CONTROL_ERROR);
  }

  /** False: the window would be wider than there are numbers for. */
  #widen(stream: Http2Stream, by: number): boolean {
    stream.sendWindow += by;
    if (stream.body.length > 0) this.#queue.add(stream);
    return stream.sendWindow <= MAX_31_BITS;
  }

  #mustHaveBegun(id: number, what: string): void {
    if (id === 0 || (id & 1) === 0 || id > this.lastStream)
      throw protocolError(`${what} on stream ${id}, which is idle`);
  }

  /** DATA of a stream that is not open: on its way when the gateway reset it, or a mistake. */
  #frameOfClosed(id: number): void {
    this.#mustHaveBegun(id, "DATA");
    if (id > this.lastTaken || this.#streams.endingOf(id) === "reset here") this.#guard.idleFrame();
    else this.#refuse(id, ErrorCode.STREAM_CLOSED);
  }

  /** The peer did with an open stream what it must not. */
  #fail(stream: Http2Stream, code: number): void {
    this.#guard.reset();
    this.#queue.control(resetFrame(stream.id, code));
    this.#owner.lost(stream, "reset here");
  }

  /** Resets a stream that is not open. */
  #refuse(id: number, code: number): void {
    this.#guard.reset();
    this.#queue.control(resetFrame(id, code));
    this.#streams.remember(id, "reset here");
  }
}

/** Dependency and weight (RFC 7540 §6.3). */
const PRIORITY_BYTES = 5;

/** How much padding stands behind the payload of a frame (RFC 9113 §6.1). */
function paddingOf(bytes: Buffer, start: number, end: number): number {
  const padding = end > start ? (bytes[start] as number) : 0;
  if (end - start < 1 + padding) throw protocolError("more padding than frame");
  return padding;
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}
