/** What one call may take. Every field has its default in {@link DEFAULT_CALL_LIMITS}. */
export interface CallLimits {
  /** Largest request message, before and after inflation, in bytes. */
  readonly requestMessageBytes: number;
  /** In how many pieces a request may arrive. */
  readonly requestPieces: number;
  /** How long a request may take to arrive, in milliseconds. */
  readonly requestArrivalMs: number;
  /** How long the caller of a bidirectional stream may send nothing, in milliseconds. */
  readonly streamIdleMs: number;
  /** How long a caller may leave an answer, or a message of a stream, lying, in milliseconds. */
  readonly answerStallMs: number;
  /** How many bytes of answers may wait for their callers before new calls are refused. */
  readonly unsentBytes: number;
  /** The smallest answer that is compressed, in bytes. */
  readonly compressMinBytes: number;
}

/** The limits that hold where nobody says anything else. */
export const DEFAULT_CALL_LIMITS: CallLimits = {
  // The requests of this API are a name and a few fields, and 16 KiB hold any of them.
  requestMessageBytes: 16_384,
  // Each costs as much as a small call, whatever is in it; a client that sends 16 KiB in pieces of 64 bytes means
  // harm, and is reset before it has sent them.
  requestPieces: 256,
  // The few bytes of a request come in the packet after its headers, or something is wrong.
  requestArrivalMs: 5_000,
  // Reflection, the only such method, is asked in bursts, and who keeps its stream for later (grpcurl does) opens a
  // new one without a word.
  streamIdleMs: 60_000,
  // Long enough for the largest answer on a slow line (4 MiB at 2 Mbit/s), short enough that callers who never read
  // cannot fill the memory.
  answerStallMs: 30_000,
  // A quarter of the memory that a small container has.
  unsentBytes: 128 * 2 ** 20,
  // Up to here a compressed answer arrives no sooner, as it fits into the first flight of a connection (RFC 6928: ten
  // segments) anyway, and compressing it costs more CPU than the call.
  compressMinBytes: 8_192,
};
