/**
 * A caller's place in a distributed trace, as W3C Trace Context has it (https://www.w3.org/TR/trace-context/). The
 * gateway makes no spans of its own: it writes the ids into its log and passes the header on as it came.
 */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the caller's span. */
  readonly spanId: string;
  /** Two hexadecimal digits; `01`: the caller records the trace. */
  readonly flags: string;
  /** The header `traceparent`, byte for byte. */
  readonly traceparent: string;
  /** The header `tracestate`, if it is well-formed. */
  readonly tracestate: string | undefined;
}

/**
 * Reads the two headers; `undefined` without a valid `traceparent`, and then `tracestate` counts for nothing. Of a
 * version after 00 what is known is read (§4.3).
 */
export function readTraceContext(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined {
  if (traceparent === undefined || !isTraceparent(traceparent)) return undefined;
  return {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    flags: traceparent.slice(53, 55),
    traceparent,
    tracestate: tracestate !== undefined && isTracestate(tracestate) ? tracestate : undefined,
  };
}

/**
 * §3.2: ids of zeros are none, version ff does not exist, and version 00 ends after its flags. What a later version may
 * add stays within {@link TRACEPARENT_MAX}.
 */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/;
const TRACEPARENT_00_LENGTH = 55;
const TRACEPARENT_MAX = 256;

function isTraceparent(text: string): boolean {
  const { length } = text;
  if (length > TRACEPARENT_MAX || !TRACEPARENT.test(text)) return false;
  return length === TRACEPARENT_00_LENGTH || !text.startsWith("00");
}

/** §3.3.1.5: vendors should carry at least so many characters, and no more is carried here. */
const TRACESTATE_MAX = 512;

/** §3.3.1.1: members at most. */
const MEMBERS_MAX = 32;

/** §3.3.1.3: a key, with a tenant or without, and a value of printable ASCII. */
const MEMBER =
  /^[a-z0-9][a-z0-9_\-*/]{0,255}(?:@[a-z][a-z0-9_\-*/]{0,13})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/;

function isTracestate(text: string): boolean {
  if (text.length > TRACESTATE_MAX) return false;
  const members = text.split(",").map((member) => member.trim());
  return members.length <= MEMBERS_MAX && members.every((member) => member === "" || MEMBER.test(member));
}
