import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Frame types of RFC 9113 §6. */
export const Frame = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags; ACK is END_STREAM's bit. */
export const Flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** One frame as bytes; nothing in it is checked, that is the point. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A header block in HPACK without compression: every field a literal that is not indexed (RFC 7541 §6.2.2). */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts = fields.flatMap(([name, value]) => [Buffer.from([0]), hpackString(name), hpackString(value)]);
  return Buffer.concat(parts);
}

/** Header fields of a gRPC call. */
export function grpcFields(
  path: string,
  more: readonly (readonly [string, string])[] = [],
): [string, string][] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...more.map(([name, value]): [string, string] => [name, value]),
  ];
}

function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** An HTTP/2 client that sends any bytes, acknowledges nothing unless told, and writes down every frame. */
export class RawH2 {
  readonly frames: ReceivedFrame[] = [];
  readonly socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  /** Answers the PINGs of the server, as every HTTP/2 library does by itself. */
  answersPings = false;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("close", () => this.#wake());
  }

  /** Connects, and begins the connection with the preface and these settings, unless it is told not to. */
  static async connect(
    port: number,
    options: { preface?: boolean; settings?: [id: number, value: number][] } = {},
  ) {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.setNoDelay(true);
    const client = new RawH2(socket);
    if (options.preface ?? true) {
      const settings = Buffer.alloc(6 * (options.settings?.length ?? 0));
      options.settings?.forEach(([id, value], at) => {
        settings.writeUInt16BE(id, at * 6);
        settings.writeUInt32BE(value, at * 6 + 2);
      });
      client.send(PREFACE, frame(Frame.SETTINGS, 0, 0, settings), frame(Frame.SETTINGS, Flag.ACK, 0));
    }
    return client;
  }

  get closed(): boolean {
    return this.socket.closed || this.socket.destroyed;
  }

  /** Sends bytes. False when the other side does not take more now. */
  send(...parts: Uint8Array[]): boolean {
    return this.closed || this.socket.write(Buffer.concat(parts));
  }

  /** Sends bytes and waits until the other side has taken them or closed. */
  async sendAll(...parts: Uint8Array[]): Promise<void> {
    if (this.send(...parts)) return;
    await new Promise<void>((resolve) => {
      this.socket.once("drain", resolve);
      this.socket.once("close", resolve);
    });
  }

  /** Waits until a frame was received for which `found` is true, or the connection is closed (then `undefined`). */
  async receive(found: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame | undefined> {
    for (;;) {
      const frame = this.frames.find(found);
      if (frame || this.closed) return frame;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Waits until the server has closed the connection. */
  async untilClosed(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  destroy(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) break;
      const received = {
        type: this.#rest[3] ?? -1,
        flags: this.#rest[4] ?? 0,
        stream: this.#rest.readUInt32BE(5) & 0x7fff_ffff,
        payload: this.#rest.subarray(9, 9 + length),
      };
      this.frames.push(received);
      if (this.answersPings && received.type === Frame.PING && (received.flags & Flag.ACK) === 0)
        this.send(frame(Frame.PING, Flag.ACK, 0, received.payload));
      this.#rest = this.#rest.subarray(9 + length);
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
