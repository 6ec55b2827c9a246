import { ErrorCode, FRAME_HEADER_BYTES, FrameFlag, FrameType } from "./frame.ts";

/** Writes the header of a frame at `at`, and returns where its payload begins (RFC 9113 §4.1). */
export function writeFrameHeader(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): number {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  writeNumber(into, at + 5, stream);
  return at + FRAME_HEADER_BYTES;
}

/** A RST_STREAM frame (RFC 9113 §6.4). */
export function resetFrame(stream: number, code: number): Buffer {
  return numberFrame(FrameType.RST_STREAM, stream, code);
}

/** A WINDOW_UPDATE frame (RFC 9113 §6.9). */
export function windowUpdateFrame(stream: number, increment: number): Buffer {
  return numberFrame(FrameType.WINDOW_UPDATE, stream, increment);
}

/** A SETTINGS frame (RFC 9113 §6.5). */
export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const frame = emptyFrame(FrameType.SETTINGS, 0, 0, 6 * settings.length);
  let at = FRAME_HEADER_BYTES;
  for (const [id, value] of settings) {
    at = frame.writeUInt16BE(id, at);
    at = frame.writeUInt32BE(value, at);
  }
  return frame;
}

/** Says that the peer's SETTINGS hold. One for all. */
export const SETTINGS_ACK = emptyFrame(FrameType.SETTINGS, FrameFlag.ACK, 0, 0);

/** A PING frame, or the answer to one; eight bytes from `start` on (RFC 9113 §6.7). */
export function pingFrame(flags: number, bytes: Buffer, start: number): Buffer {
  const frame = emptyFrame(FrameType.PING, flags, 0, 8);
  bytes.copy(frame, FRAME_HEADER_BYTES, start, start + 8);
  return frame;
}

/** A GOAWAY frame (RFC 9113 §6.8); the text is for people who look at the peer's log. */
export function goawayFrame(lastStream: number, code: number, text = ""): Buffer {
  const debug = code === ErrorCode.NO_ERROR ? Buffer.alloc(0) : Buffer.from(text);
  const frame = emptyFrame(FrameType.GOAWAY, 0, 0, 8 + debug.length);
  writeNumber(frame, FRAME_HEADER_BYTES, lastStream);
  writeNumber(frame, FRAME_HEADER_BYTES + 4, code);
  frame.set(debug, FRAME_HEADER_BYTES + 8);
  return frame;
}

function numberFrame(type: number, stream: number, value: number): Buffer {
  const frame = emptyFrame(type, 0, stream, 4);
  writeNumber(frame, FRAME_HEADER_BYTES, value);
  return frame;
}

function emptyFrame(type: number, flags: number, stream: number, length: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  writeFrameHeader(frame, 0, length, type, flags, stream);
  return frame;
}

/** 32 bits, of numbers below 2^31. */
function writeNumber(into: Buffer, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
