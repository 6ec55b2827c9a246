import { type DescMessage, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";

/** An envelope of gRPC, gRPC-Web and Connect streams, written out by hand. */
export function envelope(flags: number, message: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header[0] = flags;
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Takes a body of envelopes apart. */
export function envelopes(body: Uint8Array): { flags: number; message: Buffer }[] {
  const found: { flags: number; message: Buffer }[] = [];
  let rest = Buffer.from(body);
  while (rest.length > 0) {
    const length = rest.readUInt32BE(1);
    found.push({ flags: rest[0] ?? -1, message: rest.subarray(5, 5 + length) });
    rest = rest.subarray(5 + length);
  }
  return found;
}

export function encode(schema: DescMessage, message: Message, codec: "proto" | "json"): Buffer {
  return Buffer.from(codec === "proto" ? toBinary(schema, message) : toJsonString(schema, message));
}
