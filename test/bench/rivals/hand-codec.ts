/**
 * The codec of the raw limit, written by hand for exactly the messages of the bench: a request's name, an Operation
 * with OperationMetadata, a page of those. JSON.parse, then bytes; it knows no other field and checks nothing.
 */

interface OperationJson {
  readonly name: string;
  readonly metadata: {
    readonly "@type": string;
    readonly apiMethodName: string;
    readonly createTime: string;
    readonly logsUrl: string;
    readonly counter: { readonly pending: string; readonly success: string; readonly failure: string };
  };
}

/** One for the process: nothing is kept in it. */
const scratch = Buffer.allocUnsafe(64 * 1024);

/** The name in a request of the bench: less than 128 bytes, alone or, in a list request, after a page size of one byte. */
export function readName(message: Buffer, at: number): string {
  const start = message[at] === 0x10 ? at + 2 : at;
  return message.toString("latin1", start + 2, start + 2 + message[start + 1]!);
}

export function encodeOperationJson(json: string): Buffer {
  const end = writeOperation(JSON.parse(json), 0);
  return Buffer.from(scratch.subarray(0, end));
}

export function encodeListJson(json: string): Buffer {
  const { operations } = JSON.parse(json) as { operations: OperationJson[] };
  let at = 0;
  for (const operation of operations) {
    const start = at + 3;
    const end = writeOperation(operation, start);
    scratch[at] = 0x0a;
    writeLength(at + 1, end - start);
    at = end;
  }
  return Buffer.from(scratch.subarray(0, at));
}

function writeOperation({ name, metadata }: OperationJson, start: number): number {
  let at = writeString(0x0a, name, start);
  const any = at + 3;
  scratch[at] = 0x12;
  at = writeString(0x0a, metadata["@type"], any);
  scratch[at] = 0x12;
  const value = at + 3;
  at = writeString(0x0a, metadata.apiMethodName, value);
  at = writeTimestamp(0x12, metadata.createTime, at);
  at = writeString(0x2a, metadata.logsUrl, at);
  scratch[at] = 0x32;
  const counter = at + 2;
  at = counter;
  for (const [tag, number] of [
    [0x08, metadata.counter.pending],
    [0x10, metadata.counter.success],
    [0x18, metadata.counter.failure],
  ] as const) {
    scratch[at++] = tag;
    at = writeVarint(Number(number), at);
  }
  scratch[counter - 1] = at - counter;
  writeLength(value - 2, at - value);
  writeLength(any - 2, at - any);
  return at;
}

function writeString(tag: number, text: string, at: number): number {
  scratch[at++] = tag;
  at = writeVarint(text.length, at);
  return at + scratch.write(text, at, "latin1");
}

function writeTimestamp(tag: number, text: string, at: number): number {
  const seconds = Math.floor(Date.parse(text) / 1000);
  const nanos = Number(/\.(\d+)/.exec(text)?.[1]?.padEnd(9, "0") ?? 0);
  scratch[at++] = tag;
  const start = at + 1;
  scratch[start] = 0x08;
  let end = writeVarint(seconds, start + 1);
  if (nanos > 0) {
    scratch[end] = 0x10;
    end = writeVarint(nanos, end + 1);
  }
  scratch[at] = end - start;
  return end;
}

function writeVarint(value: number, at: number): number {
  while (value > 0x7f) {
    scratch[at++] = (value & 0x7f) | 0x80;
    value = Math.floor(value / 128);
  }
  scratch[at++] = value;
  return at;
}

/** A length in exactly two bytes, which any parser takes, so that nothing has to be moved. */
function writeLength(at: number, length: number): void {
  scratch[at] = (length & 0x7f) | 0x80;
  scratch[at + 1] = length >> 7;
}
