/**
 * Header blocks written piece by piece (RFC 7541 §5 and §6), well-formed or not: for what no real encoder writes.
 */

/** Integer behind a first byte that has `bits` above a prefix of `prefix` bits. */
export function integer(bits: number, prefix: number, value: number): Buffer {
  const most = 2 ** prefix - 1;
  if (value < most) return Buffer.from([bits | value]);
  const bytes = [bits | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** String literal in plain bytes. */
export function text(value: string): Buffer {
  return Buffer.concat([integer(0, 7, value.length), Buffer.from(value, "latin1")]);
}

export const indexed = (index: number): Buffer => integer(0x80, 7, index);

/** A literal; its name is an index or is written out. */
const literal = (bits: number, prefix: number) => (name: number | string, value: string) =>
  typeof name === "number"
    ? Buffer.concat([integer(bits, prefix, name), text(value)])
    : Buffer.concat([Buffer.from([bits]), text(name), text(value)]);

export const intoTable = literal(0x40, 6);
export const notIntoTable = literal(0x00, 4);
export const neverIntoTable = literal(0x10, 4);

export const sizeUpdate = (bytes: number): Buffer => integer(0x20, 5, bytes);
