import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { type Duplex, duplexPair } from "node:stream";
import { Flag, Frame, frame, type ReceivedFrame } from "./raw-h2.ts";

/** What a peer may say of its HPACK table, and where Node's HTTP/2 reads its own. */
const HEADER_TABLE_SIZE = 1;

/** RFC 9113 §7. */
const COMPRESSION_ERROR = 9;

/**
 * HPACK as Node's HTTP/2 does it (nghttp2), for judging ours by: a client of `node:http2` in memory, before a server
 * that writes down its header blocks and answers with any.
 */
export class NodeHpack {
  readonly #session: ClientHttp2Session;
  readonly #server: Duplex;
  #rest: Buffer = Buffer.alloc(0);
  #block: Buffer[] = [];
  #onBlock: (stream: number, block: Buffer) => void = () => {};
  #onAck: () => void = () => {};
  #goaway: number | undefined;

  constructor(options: { maxDeflateDynamicTableSize?: number } = {}) {
    const [client, server] = duplexPair();
    this.#server = server;
    this.#session = connect("http://localhost", { createConnection: () => client, ...options });
    this.#session.on("error", () => {});
    server.on("data", (chunk: Buffer) => this.#read(chunk));
    server.write(frame(Frame.SETTINGS, 0, 0));
  }

  /** The header block that Node writes for a request with these fields. */
  async encode(headers: OutgoingHttpHeaders): Promise<Buffer> {
    const [block] = await this.#request(headers);
    return block;
  }

  /** What Node reads in the header block of an answer, as a flat list. */
  async decode(block: Uint8Array): Promise<string[]> {
    const [, stream, request] = await this.#request({ ":path": "/" });
    const answered = new Promise<string[]>((resolve, reject) => {
      request.on("response", (_headers, _flags, raw: string[]) => resolve(raw));
      request.on("error", reject);
      this.#session.on("close", () => reject(new Error("the connection was closed")));
    });
    this.#server.write(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, block));
    return answered;
  }

  /** Whether Node takes a header block of an answer for HPACK at all, whatever it makes of the fields in it. */
  async accepts(block: Uint8Array): Promise<boolean> {
    const [, stream, request] = await this.#request({ ":path": "/" });
    const over = new Promise<void>((resolve) => {
      request.on("close", resolve);
      this.#session.on("close", resolve);
    });
    this.#server.write(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, block));
    await over;
    return this.#goaway !== COMPRESSION_ERROR;
  }

  /** Tells Node how large a table it may use, and waits until it has acknowledged. */
  async announceTable(bytes: number): Promise<void> {
    const payload = Buffer.alloc(6);
    payload.writeUInt16BE(HEADER_TABLE_SIZE);
    payload.writeUInt32BE(bytes, 2);
    const acknowledged = new Promise<void>((resolve) => {
      this.#onAck = resolve;
    });
    this.#server.write(frame(Frame.SETTINGS, 0, 0, payload));
    await acknowledged;
  }

  /** Changes what Node announces to its peer, and acknowledges it. */
  async ownTable(bytes: number): Promise<void> {
    await new Promise<void>((resolve) => this.#session.settings({ headerTableSize: bytes }, () => resolve()));
  }

  close(): void {
    this.#session.destroy();
    this.#server.destroy();
  }

  async #request(headers: OutgoingHttpHeaders) {
    const seen = new Promise<[number, Buffer]>((resolve) => {
      this.#onBlock = (stream, block) => resolve([stream, block]);
    });
    const request = this.#session.request(headers, { endStream: true });
    request.on("error", () => {});
    request.resume();
    const [stream, block] = await seen;
    return [block, stream, request] as const;
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (this.#rest.toString("latin1", 0, preface.length) === preface)
      this.#rest = this.#rest.subarray(preface.length);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) break;
      this.#received({
        type: this.#rest[3] as number,
        flags: this.#rest[4] as number,
        stream: this.#rest.readUInt32BE(5),
        payload: this.#rest.subarray(9, 9 + length),
      });
      this.#rest = this.#rest.subarray(9 + length);
    }
  }

  #received({ type, flags, stream, payload }: ReceivedFrame): void {
    if (type === Frame.SETTINGS) {
      if (flags & Flag.ACK) this.#onAck();
      else this.#server.write(frame(Frame.SETTINGS, Flag.ACK, 0));
    }
    if (type === Frame.GOAWAY) this.#goaway = payload.readUInt32BE(4);
    if (type !== Frame.HEADERS && type !== Frame.CONTINUATION) return;
    this.#block.push(flags & Flag.PRIORITY && type === Frame.HEADERS ? payload.subarray(5) : payload);
    if (flags & Flag.END_HEADERS) this.#onBlock(stream, Buffer.concat(this.#block.splice(0)));
  }
}
