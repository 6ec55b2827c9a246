import { connect, type Socket } from "node:net";
import { END_STREAM, frame, headerBlocks, PREFACE, SETTINGS_ACK, TYPE } from "./frames.ts";

/** `grpc.health.v1.Health/Watch` of the whole server: an empty request in its envelope. */
const PATH = "/grpc.health.v1.Health/Watch";
const REQUEST = Buffer.alloc(5);

/** Server streams over bare sockets, of which only the messages are counted: a client library would cost more than they. */
export class OpenStreams {
  private readonly sockets: Socket[] = [];
  private readonly counts: number[];
  private waiting: { each: number; left: number; done: () => void } | undefined;
  private failed: ((error: Error) => void) | undefined;

  private constructor(streams: number) {
    this.counts = new Array(streams).fill(0);
  }

  /** Opens so many streams on each of so many connections. */
  static async open(port: number, connections: number, streamsEach: number): Promise<OpenStreams> {
    const streams = new OpenStreams(connections * streamsEach);
    await Promise.all(
      Array.from({ length: connections }, (_, i) => streams.connect(port, i * streamsEach, streamsEach)),
    );
    return streams;
  }

  /** Waits until every stream has had so many messages. */
  messages(each: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.failed = reject;
      const left = this.counts.filter((count) => count < each).length;
      if (left === 0) resolve();
      else this.waiting = { each, left, done: resolve };
    });
  }

  close(): void {
    for (const socket of this.sockets) socket.removeAllListeners("close").destroy();
  }

  private connect(port: number, first: number, count: number): Promise<void> {
    const { first: head, later } = headerBlocks(PATH, "application/grpc", { te: "trailers" });
    const frames = Array.from({ length: count }, (_, i) => {
      const id = 2 * i + 1;
      return Buffer.concat([
        frame(TYPE.HEADERS, 4, id, i === 0 ? head : later),
        frame(TYPE.DATA, END_STREAM, id, REQUEST),
      ]);
    });
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, resolve);
      socket.write(Buffer.concat([PREFACE, ...frames]));
      socket.on("error", reject);
      socket.on("close", () => this.failed?.(new Error("the server closed a connection")));
      let rest: Buffer = Buffer.alloc(0);
      socket.on("data", (chunk: Buffer) => {
        rest = this.take(socket, rest.length ? Buffer.concat([rest, chunk]) : chunk, first);
      });
      this.sockets.push(socket);
    });
  }

  /** Takes the complete frames, returns the rest. A message is one DATA frame, since it is small. */
  private take(socket: Socket, bytes: Buffer, first: number): Buffer {
    let at = 0;
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      const type = bytes[at + 3];
      const flags = bytes[at + 4] ?? 0;
      if (type === TYPE.DATA && length > 0) this.count(first + (bytes.readUInt32BE(at + 5) - 1) / 2);
      else if (type === TYPE.RST) this.failed?.(new Error("the server reset a stream"));
      else if (type === TYPE.SETTINGS && !(flags & 1)) socket.write(SETTINGS_ACK);
      else if (type === TYPE.PING && !(flags & 1))
        socket.write(frame(TYPE.PING, 1, 0, Buffer.from(bytes.subarray(at + 9, at + 9 + length))));
      at += 9 + length;
    }
    return bytes.subarray(at);
  }

  private count(stream: number): void {
    const count = (this.counts[stream] ?? 0) + 1;
    this.counts[stream] = count;
    const { waiting } = this;
    if (waiting === undefined || count !== waiting.each) return;
    if (--waiting.left > 0) return;
    this.waiting = undefined;
    waiting.done();
  }
}
