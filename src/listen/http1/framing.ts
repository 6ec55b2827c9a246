import { CHUNKED, CONTENT_LENGTH } from "../../lib/http1/body-length.ts";
import { hasClose } from "../../lib/http1/connection-options.ts";
import type { RequestHeaders } from "../transport.ts";
import { BAD_REQUEST, EXPECTATION_FAILED, type Refusal } from "./refusal.ts";

/** What the header block says about the rest of the exchange. */
export interface Framing {
  /** Length of the body, or {@link CHUNKED}. */
  readonly bodyBytes: number;
  /** Whether the caller wants to use the connection again. */
  readonly keepAlive: boolean;
  /** Whether the caller waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean;
}

/**
 * How the body is framed, by RFC 9112 §6.3, but without its repairs: what other servers have been seen to read in
 * different ways is refused, since it may be a request that was smuggled past the one before us.
 */
export function readFraming(headers: RequestHeaders, minor: 0 | 1): Framing | Refusal {
  if (minor === 1 && headers["host"] === undefined) return BAD_REQUEST;
  const length = headers["content-length"];
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (minor === 0 || length !== undefined || coding.toLowerCase() !== "chunked") return BAD_REQUEST;
  } else if (length !== undefined && !CONTENT_LENGTH.test(length)) return BAD_REQUEST;
  // RFC 9110 §10.1.1: an expectation in HTTP/1.0 is ignored.
  const expectation = minor === 1 ? headers["expect"] : undefined;
  if (expectation !== undefined && expectation.toLowerCase() !== "100-continue") return EXPECTATION_FAILED;
  return {
    bodyBytes: coding === undefined ? Number(length ?? 0) : CHUNKED,
    // Keep-alive of HTTP/1.0 is not for us: behind an old proxy it hangs (RFC 9112 appendix C.2.2).
    keepAlive: minor === 1 && !hasClose(headers["connection"]),
    expectsContinue: expectation !== undefined,
  };
}
