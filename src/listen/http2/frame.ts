/** Frame types (RFC 9113 §6). */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames (RFC 9113 §6); ACK is that of SETTINGS and PING, and END_STREAM's bit. */
export const FrameFlag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

/** Error codes (RFC 9113 §7). */
export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** What every connection begins with (RFC 9113 §3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Length, type, flags and stream in front of every payload (RFC 9113 §4.1). */
export const FRAME_HEADER_BYTES = 9;

/** The largest payload that is taken, and that is sent: what every peer must bear (RFC 9113 §4.2). */
export const FRAME_PAYLOAD_BYTES = 16_384;

/** Dependency and weight of a stream, which nobody heeds any more (RFC 7540 §6.3). */
export const PRIORITY_BYTES = 5;

/** Flow-control window of a stream, and of a connection, before anyone has spoken of it (RFC 9113 §6.9.2). */
export const DEFAULT_WINDOW = 65_535;

/** The largest window, and the highest stream id (RFC 9113 §6.9.1, §5.1.1). */
export const MAX_31_BITS = 2 ** 31 - 1;

/** Ends the whole connection: GOAWAY with this code, and the message as its debug data (RFC 9113 §5.4.1). */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The error for what has no name of its own. */
export function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}
