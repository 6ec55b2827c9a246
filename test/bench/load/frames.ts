/** Frames and header blocks of HTTP/2 (RFC 9113, RFC 7541) for the generators of the bench, which work on bare sockets. */

/** Types of frames. */
export const TYPE = { DATA: 0, HEADERS: 1, RST: 3, SETTINGS: 4, PING: 6, GOAWAY: 7 } as const;

/** A flag of DATA and HEADERS. */
export const END_STREAM = 1;

/** A frame with its header. */
export function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

/** Opens the window of a stream, or of the connection with stream 0. */
export function windowUpdate(id: number, bytes: number): Buffer {
  const step = Buffer.alloc(4);
  step.writeUInt32BE(bytes);
  return frame(8, 0, id, step);
}

/** What a client begins with: no server push, the largest windows and frames. */
export const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(TYPE.SETTINGS, 0, 0, Buffer.from("000200000000" + "00047fffffff" + "000500ffffff", "hex")),
  windowUpdate(0, 0x7fff0000),
]);

export const SETTINGS_ACK = frame(TYPE.SETTINGS, 1, 0, Buffer.alloc(0));

/** HPACK (RFC 7541) of the first request of a connection, which fills the dynamic table, and of all others. */
export function headerBlocks(
  path: string,
  contentType: string,
  headers: Readonly<Record<string, string>>,
): { first: Buffer; later: Buffer } {
  const fields = Object.entries({
    ":path": path,
    ":authority": "localhost",
    "content-type": contentType,
    "user-agent": "bench/1",
    ...headers,
  });
  const fixed = Buffer.from([0x83, 0x86]);
  const literals = fields.map(([name, value]) =>
    Buffer.concat([Buffer.from([0x40]), hpackString(name), hpackString(value)]),
  );
  const indexed = fields.map((_, i) => 0x80 | (62 + fields.length - 1 - i));
  return { first: Buffer.concat([fixed, ...literals]), later: Buffer.concat([fixed, Buffer.from(indexed)]) };
}

function hpackString(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}
