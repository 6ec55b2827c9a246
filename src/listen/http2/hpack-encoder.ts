import type { ResponseHeaders } from "../transport.ts";
import { STATIC_TABLE } from "./hpack-static-table.ts";

/** First entry of the static table with each name. */
const NAME_INDEX = new Map<string, number>();
/** Entries of `:status`, by status. */
const STATUS_INDEX = new Map<number, number>();
STATIC_TABLE.forEach(([name, value], at) => {
  if (!NAME_INDEX.has(name)) NAME_INDEX.set(name, at + 1);
  if (name === ":status") STATUS_INDEX.set(Number(value), at + 1);
});

/** First bits of each representation (RFC 7541 §6), and the largest value that fits beside them. */
const INDEXED = 0x80;
const LITERAL = 0x00;
const LITERAL_INDEX_MASK = 0x0f;
const SIZE_UPDATE = 0x20;
const SIZE_MASK = 0x1f;
const LENGTH_MASK = 0x7f;

/** Most bytes of an integer below 2^31 with its prefix. */
const INTEGER_BYTES = 6;

/** Up to here a loop copies faster than a call to the runtime. */
const SHORT = 32;

/** Where a block is put together; shared, since encoding never waits. */
let scratch = Buffer.allocUnsafeSlow(4_096);

/**
 * Header block of an answer, or of trailers when there is no `status` (RFC 7541). A value that is a list becomes one
 * field each. Names and values are legal fields (`rpc/response-metadata.ts` sees to it), each character one byte.
 *
 * The sending half of HPACK has no state here: what the static table knows is sent by its index, everything else as
 * a literal that enters no table. A dynamic table would save some 25 bytes of an answer of gRPC (`content-type`,
 * `grpc-status`), and would cost an order among all blocks of a connection, a look at it for each field, and 4 KiB for
 * each connection. Huffman codes would save another 5 bytes, and cost a pass over every bit. So a block means the same
 * on every connection and may be kept: of trailers the last is, for those of a call that went well are one object.
 * Head blocks are not: one of one field takes 0.1 µs, and a WeakMap by identity takes 1.6 µs for each object that it has
 * not seen, as most of them are.
 */
export function encodeHeaders(headers: ResponseHeaders, status?: number): Buffer {
  if (status !== undefined) return encodeFields(putStatus(status), headers);
  if (headers === lastTrailers) return lastBlock;
  lastBlock = encodeFields(0, headers);
  lastTrailers = headers;
  return lastBlock;
}

let lastTrailers: ResponseHeaders | undefined;
let lastBlock: Buffer = Buffer.alloc(0);

function encodeFields(start: number, headers: ResponseHeaders): Buffer {
  let at = start;
  for (const name in headers) {
    const value = headers[name] as string | readonly string[];
    if (typeof value === "string") at = putField(at, name, value);
    else for (const one of value) at = putField(at, name, one);
  }
  return take(at);
}

/**
 * Says that our table now holds no more than `size` bytes (RFC 7541 §6.3). A peer that lowers
 * SETTINGS_HEADER_TABLE_SIZE must be told so at the beginning of the next block (§4.2), unused as the table is.
 */
export function encodeTableSizeUpdate(size: number): Buffer {
  return take(putInteger(0, SIZE_UPDATE, SIZE_MASK, size));
}

function putStatus(status: number): number {
  const index = STATUS_INDEX.get(status);
  if (index === undefined) return putField(0, ":status", String(status));
  scratch[0] = INDEXED | index;
  return 1;
}

/** Literal without indexing (§6.2.2). */
function putField(start: number, name: string, value: string): number {
  makeRoom(start, name.length + value.length + 2 * INTEGER_BYTES);
  const index = NAME_INDEX.get(name) ?? 0;
  let at = putInteger(start, LITERAL, LITERAL_INDEX_MASK, index);
  if (index === 0) at = putString(at, name);
  return putString(at, value);
}

/** String literal in plain bytes (§5.2). */
function putString(start: number, text: string): number {
  const { length } = text;
  const at = putInteger(start, 0, LENGTH_MASK, length);
  if (length > SHORT) scratch.write(text, at, "latin1");
  else for (let i = 0; i < length; i++) scratch[at + i] = text.charCodeAt(i);
  return at + length;
}

/** Integer behind the `bits` of its first byte (§5.1). */
function putInteger(start: number, bits: number, mask: number, value: number): number {
  let at = start;
  if (value < mask) {
    scratch[at++] = bits | value;
    return at;
  }
  scratch[at++] = bits | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) scratch[at++] = (rest & 0x7f) | 0x80;
  scratch[at++] = rest;
  return at;
}

function makeRoom(at: number, bytes: number): void {
  if (at + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(2 * (at + bytes));
  larger.set(scratch.subarray(0, at));
  scratch = larger;
}

/** The block as a buffer of its own. */
function take(length: number): Buffer {
  const block = Buffer.allocUnsafe(length);
  if (length > SHORT) scratch.copy(block, 0, 0, length);
  else for (let i = 0; i < length; i++) block[i] = scratch[i] as number;
  return block;
}
