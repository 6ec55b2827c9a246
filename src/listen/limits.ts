/** What one listener bears. Every field has its default in {@link DEFAULT_LISTENER_LIMITS}. */
export interface ListenerLimits {
  /**
   * Connections at one time. For one more the oldest that has not made a call yet is closed; when all have made one, it is
   * closed itself.
   */
  readonly connections: number;
  /** Concurrent streams of one HTTP/2 connection; more are refused by REFUSED_STREAM, which clients retry. */
  readonly streamsPerSession: number;
  /** What one HTTP/2 connection may hold before its new streams are refused, in MiB; answers it does not take count. */
  readonly sessionMemoryMiB: number;
  /** Bytes of a header list, in HTTP/2's counting (RFC 9113 §6.5.2: names, values and 32 bytes for each field). */
  readonly headerListBytes: number;
  /** Fields of a header list. */
  readonly headerFields: number;
  /** How long a connection may stay silent before its first byte, or take for its TLS handshake, in milliseconds. */
  readonly silentMs: number;
  /** How long a header block may take to come, in milliseconds. */
  readonly headersMs: number;
  /** How long an HTTP/1.1 connection may idle between requests, in milliseconds. */
  readonly keepAliveMs: number;
  /** How long an HTTP/2 connection may be without a new stream before it is asked by PING whether it lives, in ms. */
  readonly pingAfterMs: number;
  /**
   * How long the answer to a PING may take while the peer gives no other sign of life, in milliseconds; at least
   * {@link STALLED_WRITE_MS} when it has been sent more than a usual window of data, behind which the PING stands.
   */
  readonly pingAnswerMs: number;
  /** Age at which a connection is asked to go, give or take a tenth, in milliseconds; what is open on it finishes. */
  readonly connectionAgeMs: number;
  /** How long HTTP/1.1 connections without a request are kept while the listener drains, in milliseconds. */
  readonly drainIdleMs: number;
  /** Streams that a peer may reset in a burst, and then per second (rapid reset, CVE-2023-44487). */
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
}

/** The limits that hold where the configuration says nothing else. */
export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  // A quiet connection costs about 30 KiB, so these are 120 MiB; and the usual limit of open files is 4,096 or more.
  connections: 4_000,
  // RFC 9113 §6.5.2 advises at least 100. Node would promise 4 billion.
  streamsPerSession: 100,
  // Eight of the largest list pages (4 MiB) on their way to one caller. Node's own 10 MiB would refuse the third.
  sessionMemoryMiB: 32,
  // 6 KiB of request metadata are legal and in use; Google's clients announce 8 to 16 KiB themselves.
  headerListBytes: 16_384,
  headerFields: 100,
  // Ten seconds are three lost SYNs or a very slow phone; nobody honest takes longer.
  silentMs: 10_000,
  headersMs: 10_000,
  // Longer than the 60 s after which common load balancers give their own idle connections up.
  keepAliveMs: 75_000,
  pingAfterMs: 10_000,
  // As long as gRPC's own keepalive waits (gRFC A8): a program that is busy for ten seconds lives, and has watches open.
  pingAnswerMs: 20_000,
  // A new replica has its share of the connections within ten minutes.
  connectionAgeMs: 600_000,
  // A request may be on its way already, and closing would lose it: several round trips around the world.
  drainIdleMs: 1_000,
  // A client whose calls all time out at once resets as many streams as it may have open, ten times over.
  resetBurst: 1_000,
  resetsPerSecond: 100,
};

/**
 * How long the rest of an HTTP/2 request may take to come after its answer, in milliseconds; what comes is thrown away. RFC 9113
 * §8.1 allows to stop the peer at once, but curl, when it is still sending, takes that for a failure of the call and
 * loses the answer.
 */
export const STALLED_REQUEST_MS = 1_000;

/**
 * How long a peer may take nothing from a connection, in milliseconds, while something lies there for it: as long as the
 * caller of a stream may leave a message lying.
 */
export const STALLED_WRITE_MS = 30_000;

/**
 * How long the peer of an HTTP/2 connection may let nothing of an answer through its windows, in milliseconds. Somewhat
 * longer than the RPC path gives it, which has more to say: this ends what is no call of that path, pages and refusals,
 * and what connect-es serves.
 */
export const STALLED_ANSWER_MS = 35_000;

/**
 * How often a caller of HTTP/1.1 that has sent more than is read, while it waits for an answer, is seen to be there, in
 * milliseconds. What it has sent stands in front of the end of its connection, so that nobody would hear of that before
 * the answer, which may take an hour. It is sent a `100 (Continue)`, which it discards (RFC 9110 §15.2.1): when it has
 * gone, its kernel refuses the first one, and the second one fails.
 */
export const UNREAD_CALLER_MS = 10_000;
