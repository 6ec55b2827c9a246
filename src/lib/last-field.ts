/** Wire types, https://protobuf.dev/programming-guides/encoding/#structure. */
const I64 = 1;
const LENGTH_DELIMITED = 2;
const I32 = 5;

/**
 * Where the value of a field begins in a message's bytes, behind its tag; of several the last, which counts
 * (https://protobuf.dev/programming-guides/encoding/#last-one-wins). -1 without the field. The bytes are our own or
 * have been decoded before: they are not checked.
 *
 * @param wanted the tag: field number and wire type
 */
export function lastField(bytes: Uint8Array, wanted: number): number {
  let found = -1;
  for (let at = 0; at < bytes.length; ) {
    const tag = varintAt(bytes, at);
    at += varintLength(bytes, at);
    if (tag === wanted) found = at;
    const wireType = tag & 7;
    if (wireType === I64) at += 8;
    else if (wireType === I32) at += 4;
    else {
      // A length with its content, or a number.
      const value = varintAt(bytes, at);
      at += varintLength(bytes, at);
      if (wireType === LENGTH_DELIMITED) at += value;
    }
  }
  return found;
}

/** The lower 28 bits of a varint: tags and lengths have no more here. */
export function varintAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i] ?? 0;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) break;
  }
  return value;
}

/** How many bytes a varint has. */
export function varintLength(bytes: Uint8Array, at: number): number {
  let length = 1;
  while ((bytes[at + length - 1] ?? 0) > 0x7f) length++;
  return length;
}
