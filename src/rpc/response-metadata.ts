import type { ConnectError } from "@connectrpc/connect";
import { retryAfterSeconds } from "../errors/retry-delay.ts";
import type { Metadata } from "./metadata.ts";

/** Header block or trailers under construction. */
export type HeaderRecord = Record<string, string | string[]>;

/** Names that belong to HTTP itself (RFC 9110 §7.6.1, RFC 9113 §8.2.2); a handler or an error cannot set them. */
const RESERVED = new Set(
  `content-type content-length content-encoding host user-agent trailer date
  connection keep-alive proxy-connection transfer-encoding upgrade te http2-settings`.split(/\s+/),
);

/**
 * Names that belong to the protocols:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests (Custom-Metadata),
 * https://connectrpc.com/docs/protocol#unary-request (Custom-Metadata). Only the error of an unknown coding says which
 * ones are accepted, in the header of its protocol.
 */
const RESERVED_BY_PROTOCOLS = /^(?:grpc|connect)-(?!accept-encoding$)/;

/** A field name in lower case (RFC 9110 §5.1, RFC 9113 §8.2.1). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]{1,255}$/;

/** A field value of RFC 9110 §5.5 without its obsolete bytes above ASCII. */
const VALUE = /^[\t\x20-\x7e]*$/;

/** Names that have been found legal: all those of our own handlers, after a few calls. */
const legalNames = new Set<string>();

/** Bound on {@link legalNames}: an error of the upstream may bring names of its own. */
const LEGAL_NAMES_MAX = 64;

function isLegalName(name: string): boolean {
  if (legalNames.has(name)) return true;
  if (RESERVED.has(name) || RESERVED_BY_PROTOCOLS.test(name) || !NAME.test(name)) return false;
  if (legalNames.size < LEGAL_NAMES_MAX) legalNames.add(name);
  return true;
}

/**
 * Adds custom metadata to a header block, each name behind `prefix`. What is reserved or no legal field is left
 * out: metadata must never break an answer, and Node's HTTP/2 lets a NUL byte in a value forge further headers.
 */
export function addMetadata(into: HeaderRecord, from: Metadata | Headers | undefined, prefix = ""): void {
  if (from === undefined) return;
  for (const [name, value] of "entries" in from && Array.isArray(from.entries)
    ? from.entries
    : (from as Headers)) {
    if (!isLegalName(name) || !VALUE.test(value)) continue;
    const key = prefix + name;
    const present = into[key];
    into[key] = present === undefined ? value : [...(Array.isArray(present) ? present : [present]), value];
  }
}

/** Says by `Retry-After`, which proxies and browsers know, what an error's RetryInfo says. */
export function addRetryAfter(headers: HeaderRecord, error: ConnectError): void {
  const seconds = retryAfterSeconds(error);
  if (seconds !== undefined) headers["retry-after"] = seconds;
}
