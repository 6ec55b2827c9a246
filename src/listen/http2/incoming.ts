import type { FloodGuard } from "./flood-guard.ts";
import {
  ConnectionError,
  ErrorCode,
  FrameFlag,
  FrameType,
  MAX_31_BITS,
  PRIORITY_BYTES,
  protocolError,
} from "./frame.ts";
import type { FrameSink } from "./frame-reader.ts";
import { pingFrame, SETTINGS_ACK } from "./frame-writer.ts";
import { encodeTableSizeUpdate } from "./hpack-encoder.ts";
import { type RequestOwner, type RequestParts, Requests } from "./requests.ts";
import type { SendQueue } from "./send-queue.ts";
import type { PeerSettings } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";
import type { StreamErrors, StreamLoss } from "./stream-errors.ts";
import type { StreamTable } from "./stream-table.ts";

/** What the frames of a peer mean for the connection as a whole. */
export interface IncomingOwner extends RequestOwner, StreamLoss {
  /** The peer has answered a PING of ours; its eight bytes begin at `start`. */
  pinged(bytes: Buffer, start: number): void;
  /** The peer goes, and opens no stream any more. */
  peerLeaves(): void;
}

/**
 * The frames of a peer, one by one (RFC 9113 §5, §6): which are allowed now, and what follows from them; those of
 * requests are {@link Requests}' own. An error of a stream resets it and is counted, an error of the connection is
 * thrown.
 */
export class Incoming implements FrameSink {
  readonly requests: Requests;
  /** How many frames have come whole. */
  frames = 0;
  /** Whether the peer has acknowledged our SETTINGS. */
  settingsHeard = false;
  readonly #owner: IncomingOwner;
  readonly #streams: StreamTable;
  readonly #queue: SendQueue;
  readonly #errors: StreamErrors;
  readonly #guard: FloodGuard;
  readonly #peer: PeerSettings;
  #settingsSeen = false;

  constructor(owner: IncomingOwner, parts: RequestParts) {
    this.requests = new Requests(parts);
    this.#owner = owner;
    this.#streams = parts.streams;
    this.#queue = parts.queue;
    this.#errors = parts.errors;
    this.#guard = parts.guard;
    this.#peer = parts.peer;
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    this.frames++;
    const { openBlock } = this.requests;
    if (openBlock !== undefined) {
      if (type !== FrameType.CONTINUATION || id !== openBlock.stream)
        throw protocolError("another frame within a header block");
    } else if (!this.#settingsSeen && (type !== FrameType.SETTINGS || (flags & FrameFlag.ACK) !== 0))
      throw protocolError("the first frame has to be SETTINGS");
    switch (type) {
      case FrameType.DATA:
        this.requests.data(flags, id, bytes, start, end);
        break;
      case FrameType.HEADERS:
        this.requests.headers(flags, id, bytes, start, end);
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
        this.requests.continuation(flags, bytes, start, end);
        break;
      default:
        // RFC 9113 §4.1: frames of unknown types are ignored.
        this.#guard.idleFrame();
    }
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
    this.#errors.fail(stream, code);
  }

  /** RFC 9113 §6.4. */
  #reset(id: number, length: number): void {
    if (length !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM has 4 bytes");
    this.requests.mustHaveBegun(id, "RST_STREAM");
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
    const { initialWindow } = this.#peer;
    // The answers use no table, so that announcing none is true for all sizes that may still come.
    if (this.#peer.read(bytes, start, end)) this.#queue.tableUpdate = encodeTableSizeUpdate(0);
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
    this.requests.mustHaveBegun(id, "WINDOW_UPDATE");
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (increment === 0) this.#errors.fail(stream, ErrorCode.PROTOCOL_ERROR);
    else if (!this.#widen(stream, increment)) this.#errors.fail(stream, ErrorCode.FLOW_CONTROL_ERROR);
  }

  /** False: the window would be wider than there are numbers for. */
  #widen(stream: Http2Stream, by: number): boolean {
    stream.sendWindow += by;
    if (stream.body.length > 0) this.#queue.add(stream);
    return stream.sendWindow <= MAX_31_BITS;
  }
}
