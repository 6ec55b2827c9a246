import type { Operation } from "../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "./encoded.ts";

/** Tag of `google.longrunning.Operation.done`: field 3, a varint. */
const DONE = 0x18;

/** Wire types, https://protobuf.dev/programming-guides/encoding/#structure. */
const I64 = 1;
const LENGTH_DELIMITED = 2;
const I32 = 5;

/**
 * Whether an operation is done, read from its protobuf bytes: each answer to a GetOperation is asked, and making a
 * message for one bit would cost more than all the rest that is done with it.
 */
export function isDone(operation: Encoded<Operation>): boolean {
  const bytes = operation.toBinary();
  let done = false;
  for (let at = 0; at < bytes.length; ) {
    const tag = varintAt(bytes, at);
    at += varintLength(bytes, at);
    const wireType = tag & 7;
    if (wireType === I64) at += 8;
    else if (wireType === I32) at += 4;
    else {
      // A length with its content, or a number.
      const value = varintAt(bytes, at);
      at += varintLength(bytes, at);
      if (wireType === LENGTH_DELIMITED) at += value;
      else if (tag === DONE) done = value !== 0;
    }
  }
  return done;
}

/** The lower 28 bits of a varint: tags and lengths have no more here. */
function varintAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i] ?? 0;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) break;
  }
  return value;
}

function varintLength(bytes: Uint8Array, at: number): number {
  let length = 1;
  while ((bytes[at + length - 1] ?? 0) > 0x7f) length++;
  return length;
}
