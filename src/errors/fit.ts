import { clone, create, type DescMessage, isMessage, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { ConnectError } from "@connectrpc/connect";
import {
  DebugInfoSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { bytesOf, type Detail, messageOf, typeOf } from "./detail.ts";
import { ERROR_DOMAIN } from "./reasons.ts";
import { errorOf } from "./thrown.ts";

/**
 * What the headers and trailers of an error may come to in all: Java's gRPC client loses everything, the status
 * included, when they exceed 8 KiB, and the rest of the answer's headers need room too.
 */
const ANSWER_HEADERS_MAX_BYTES = 6 * 1024;

/** Kept free for headers that this file does not see: date, content type, CORS, compression. */
const OTHER_HEADERS_BYTES = 1024;

/** A message longer than this is cut before the details are: a text that long is a dump. UTF-8 after percent-encoding. */
const LONG_MESSAGE_BYTES = 1024;

/** Response metadata of an error that was cut: the names of the cut parts, e.g. `message, google.rpc.DebugInfo`. */
export const CUT_HEADER = "lro-error-cut";

const CUT_HEADER_MAX = 256;

/** Request header, and response metadata of every error: the id of the call, which its lines in the log have too. */
export const REQUEST_ID_HEADER = "x-request-id";

/** Of a DebugInfo's text, less than this is not worth keeping. */
const DEBUG_TEXT_MIN_BYTES = 64;

/** The parts of an error that can be cut. */
interface Draft {
  message: string;
  readonly details: Detail[];
  /** What {@link detailBytes} has found: each cut asks for all of them again. */
  readonly sizes: Map<Detail, number>;
}

/** A way to make an error smaller. Returns what it cut, or `undefined` when there was nothing for it to cut. */
type Cut = (draft: Draft, excess: number) => string | undefined;

/** In the order of what is missed least. Each is repeated while it finds something and the error is too large. */
const CUTS: readonly Cut[] = [
  (draft, excess) => cutDebugInfo(draft, excess),
  (draft, excess) => cutMessage(draft, excess, LONG_MESSAGE_BYTES),
  (draft) => cutLargestDetail(draft),
  (draft, excess) => cutMessage(draft, excess, 0),
  (draft, excess) => cutErrorInfo(draft, excess),
];

/**
 * Makes an error ready to leave, once, before any protocol writes it, so that code, message and details are the same
 * values wherever they appear.
 *
 * A thrown value that is no ConnectError becomes INTERNAL with its cause kept inside. Text becomes well-formed. What is
 * too large for response headers is cut: DebugInfo first, then a long message, the other details from the largest
 * down, the ErrorInfo last. Connect and gRPC-Web could carry more, but an answer has to mean the same everywhere.
 *
 * `requestId` is what the caller can report: it becomes {@link REQUEST_ID_HEADER} and, beside an ErrorInfo of the
 * gateway's own, a google.rpc.RequestInfo, unless the upstream has sent one (AIP-193: one detail of a type). An error that
 * the upstream has described itself keeps exactly its details. The error that was thrown
 * may be the answer to other calls too, and is left as it is.
 */
export function finishError(thrown: unknown, requestId: string): ConnectError {
  const error = errorOf(thrown);
  const draft: Draft = {
    message: error.rawMessage.toWellFormed(),
    details: [...error.details],
    sizes: new Map(),
  };
  const hasRequestInfo = draft.details.some((detail) => typeOf(detail) === RequestInfoSchema.typeName);
  if (!hasRequestInfo && draft.details.some(isOwnErrorInfo))
    draft.details.push({ desc: RequestInfoSchema, value: create(RequestInfoSchema, { requestId }) });
  const headerBytes = metadataBytes(error) + headerSize(REQUEST_ID_HEADER, requestId);
  const cut = shrink(draft, ANSWER_HEADERS_MAX_BYTES - OTHER_HEADERS_BYTES - headerBytes);
  const finished = new ConnectError(draft.message, error.code, error.metadata, undefined, error.cause);
  finished.details = draft.details;
  finished.metadata.set(REQUEST_ID_HEADER, requestId);
  if (cut.size > 0) finished.metadata.set(CUT_HEADER, [...cut].join(", ").slice(0, CUT_HEADER_MAX));
  return finished;
}

/** Whether a detail is the ErrorInfo of the catalogue, and not one that the upstream has sent. */
function isOwnErrorInfo(detail: Detail): boolean {
  if (typeOf(detail) !== ErrorInfoSchema.typeName || !("desc" in detail)) return false;
  const info = messageOf(detail);
  return isMessage(info, ErrorInfoSchema) && info.domain === ERROR_DOMAIN;
}

/** Cuts until it fits; returns the names of what was cut. */
function shrink(draft: Draft, budget: number): ReadonlySet<string> {
  const names = new Set<string>();
  let excess = statusBytes(draft) - budget;
  for (const cut of CUTS) {
    while (excess > 0) {
      const name = cut(draft, excess);
      if (name === undefined) break;
      names.add(name);
      excess = statusBytes(draft) - budget;
    }
  }
  return names;
}

/**
 * Bytes of `grpc-status`, `grpc-message` and `grpc-status-details-bin` as HTTP/2 counts a header list: 32 for each
 * (RFC 9113 §6.5.2), beside name and value.
 */
function statusBytes(draft: Draft): number {
  const names = 3 * 32 + "grpc-status".length + 2 + "grpc-message".length + "grpc-status-details-bin".length;
  return names + percentBytes(draft.message) + base64Bytes(detailsBytes(draft));
}

/** Size of the google.rpc.Status of an error, a few bytes too much rather than too little. */
function detailsBytes(draft: Draft): number {
  const details = draft.details.reduce((sum, detail) => sum + detailBytes(draft, detail), 0);
  return 4 + fieldBytes(Buffer.byteLength(draft.message)) + details;
}

function detailBytes({ sizes }: Draft, detail: Detail): number {
  let bytes = sizes.get(detail);
  if (bytes === undefined) {
    const typeUrl = "type.googleapis.com/".length + typeOf(detail).length;
    bytes = fieldBytes(fieldBytes(typeUrl) + fieldBytes(bytesOf(detail).length));
    sizes.set(detail, bytes);
  }
  return bytes;
}

/** A length-delimited field of so many bytes: tag, length of up to three bytes, content. */
function fieldBytes(length: number): number {
  return 4 + length;
}

function base64Bytes(length: number): number {
  return Math.ceil(length / 3) * 4;
}

/** Length of a text as grpc-message: every byte that is not printable ASCII, and `%`, takes three. */
function percentBytes(text: string): number {
  let bytes = 0;
  for (const byte of Buffer.from(text)) bytes += byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? 1 : 3;
  return bytes;
}

function metadataBytes(error: ConnectError): number {
  let bytes = headerSize(CUT_HEADER, "") + CUT_HEADER_MAX;
  for (const [name, value] of error.metadata) bytes += headerSize(name, value);
  return bytes;
}

/** As HTTP/2 counts it: RFC 9113 §6.5.2. */
function headerSize(name: string, value: string): number {
  return 32 + name.length + value.length;
}

/** First the stack, then so much of the text as has to go, then the rest. */
function cutDebugInfo(draft: Draft, excess: number): string | undefined {
  const at = draft.details.findIndex((detail) => typeOf(detail) === DebugInfoSchema.typeName);
  const detail = draft.details[at];
  if (detail === undefined) return undefined;
  const info = "desc" in detail ? messageOf(detail) : undefined;
  if (!isMessage(info, DebugInfoSchema)) draft.details.splice(at, 1);
  else if (info.stackEntries.length > 0) {
    const stackEntries = info.stackEntries.slice(0, info.stackEntries.length >> 1);
    draft.details[at] = { desc: DebugInfoSchema, value: create(DebugInfoSchema, { ...info, stackEntries }) };
  } else {
    // The excess is counted in base64. What would be left of a few words says nothing.
    const keep = Buffer.byteLength(info.detail) - Math.ceil((excess * 3) / 4) - 4;
    if (keep < DEBUG_TEXT_MIN_BYTES) draft.details.splice(at, 1);
    else {
      const text = cutText(info.detail, keep, Buffer.byteLength);
      draft.details[at] = {
        desc: DebugInfoSchema,
        value: create(DebugInfoSchema, { ...info, detail: text }),
      };
    }
  }
  return DebugInfoSchema.typeName;
}

/** Takes from the message what has to go, but leaves `keep` bytes of it. */
function cutMessage(draft: Draft, excess: number, keep: number): string | undefined {
  const size = percentBytes(draft.message);
  if (size <= keep || size === 0) return undefined;
  // Each byte of ASCII stands in grpc-message once and in the details a third more; other text is cut again.
  const less = size - Math.ceil((excess * 3) / 7) - 1;
  draft.message = cutText(draft.message, Math.max(keep, less), percentBytes);
  return "message";
}

/** Halves the longest list in the largest detail, or takes the detail away where it has none. */
function cutLargestDetail(draft: Draft): string | undefined {
  const retryInfo = draft.details.find((detail) => typeOf(detail) === RetryInfoSchema.typeName);
  let largest: Detail | undefined;
  for (const detail of draft.details) {
    if (typeOf(detail) === ErrorInfoSchema.typeName || detail === retryInfo) continue;
    if (largest === undefined || detailBytes(draft, detail) > detailBytes(draft, largest)) largest = detail;
  }
  if (largest === undefined) return undefined;
  const at = draft.details.indexOf(largest);
  const shorter = "desc" in largest ? halved(largest.desc, messageOf(largest)) : undefined;
  if (shorter && "desc" in largest) draft.details[at] = { desc: largest.desc, value: shorter };
  else draft.details.splice(at, 1);
  return typeOf(largest);
}

function halved(desc: DescMessage, message: Message): Message | undefined {
  const copy = clone(desc, message);
  const fields = reflect(desc, copy);
  const list = desc.fields
    .filter((field) => field.fieldKind === "list")
    .map((field) => fields.get(field))
    .sort((a, b) => b.size - a.size)[0];
  if (list === undefined || list.size < 2) return undefined;
  const keep = [...list].slice(0, list.size >> 1);
  list.clear();
  for (const item of keep) list.add(item);
  return copy;
}

/** First the longest entries of its metadata, as many as have to go, then all of it. */
function cutErrorInfo(draft: Draft, excess: number): string | undefined {
  const at = draft.details.findIndex((detail) => typeOf(detail) === ErrorInfoSchema.typeName);
  const detail = draft.details[at];
  if (detail === undefined) return undefined;
  const info = "desc" in detail ? messageOf(detail) : undefined;
  const entries = isMessage(info, ErrorInfoSchema) ? Object.entries(info.metadata) : [];
  if (isMessage(info, ErrorInfoSchema) && entries.length > 0) {
    entries.sort(([a, x], [b, y]) => a.length + x.length - b.length - y.length);
    // Never more than has to go: the excess is counted in base64, and no entry is larger than it is taken for here.
    let left = (excess * 3) / 4;
    do left -= entryBytes(entries.pop());
    while (left > 0 && entries.length > 0);
    const metadata = Object.fromEntries(entries);
    draft.details[at] = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { ...info, metadata }) };
  } else draft.details.splice(at, 1);
  return ErrorInfoSchema.typeName;
}

/** An entry of a map of texts, as large as it can be: three fields, that of the entry and its two. */
function entryBytes([key, value]: [string, string] = ["", ""]): number {
  return fieldBytes(fieldBytes(Buffer.byteLength(key)) + fieldBytes(Buffer.byteLength(value)));
}

/** The beginning of a text, whole code points and an ellipsis, that costs at most `max` by `cost`. */
function cutText(text: string, max: number, cost: (text: string) => number): string {
  const ellipsis = "…";
  let left = max - cost(ellipsis);
  let kept = "";
  for (const character of text) {
    left -= cost(character);
    if (left < 0) break;
    kept += character;
  }
  return max < cost(ellipsis) ? "" : kept + ellipsis;
}
