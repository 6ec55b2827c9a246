import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { TEST_CERTIFICATE } from "../../support/tls.ts";
import { pathOf, WIRES } from "../cells.ts";
import { END_STREAM, frame, headerBlocks, PREFACE, SETTINGS_ACK, TYPE, windowUpdate } from "./frames.ts";
import type { Tally } from "./http2-load.ts";
import type { Load } from "./load.ts";
import { Outbox } from "./outbox.ts";

/** After so many bytes the window of the connection is opened again. */
const WINDOW_STEP = 1 << 29;

interface OpenCall {
  /** When it was due, for its latency. */
  readonly since: number;
  /** Bytes of its body that have come and were right; -1 once one was not. */
  seen: number;
}

/** One connection of a load, in clear text or over TLS, with its calls. */
export class Http2Caller {
  private readonly load: Load;
  private readonly tally: Tally;
  private readonly socket: Socket;
  private readonly open = new Map<number, OpenCall>();
  private readonly first: Buffer;
  private readonly later: Buffer;
  private readonly dueAt: number[] = [];
  private readonly out = new Outbox();
  private nextId = 1;
  private left = Number.POSITIVE_INFINITY;
  private rest: Buffer = Buffer.alloc(0);
  private received = 0;
  private ending = false;
  private done!: () => void;
  private failed!: (error: Error) => void;

  constructor(load: Load, tally: Tally) {
    this.load = load;
    this.tally = tally;
    const { contentType, headers, tls } = WIRES[load.cell.carrier];
    const { first, later } = headerBlocks(pathOf(load.cell), contentType, headers);
    this.first = frame(TYPE.HEADERS, 4, 0, first);
    this.later = frame(TYPE.HEADERS, 4, 0, later);
    const where = { port: load.port, host: "127.0.0.1", noDelay: true };
    this.socket = tls
      ? connectTls({ ...where, servername: "localhost", ca: TEST_CERTIFICATE, ALPNProtocols: ["h2"] })
      : connect(where);
  }

  /** Calls until the load's time is over, or so many calls are answered. */
  run(calls = Number.POSITIVE_INFINITY): Promise<void> {
    this.left = calls;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.stop(), this.load.ms);
      this.done = () => {
        clearTimeout(timer);
        resolve();
      };
      this.failed = reject;
      this.socket.on("error", reject);
      this.socket.on("close", () =>
        this.open.size ? reject(new Error("the server closed a connection")) : this.done(),
      );
      this.socket.on("data", (chunk: Buffer) => this.onData(chunk));
      this.out.add(PREFACE);
      if (this.load.rate !== undefined) this.pace(this.load.rate / this.load.connections);
      else for (let i = 0; i < this.load.streams; i++) this.send(performance.now());
      this.flush();
    });
  }

  /** Sends at a steady rate; a call that finds all streams taken waits, and its waiting counts. */
  private pace(perSecond: number): void {
    const begin = performance.now();
    let sent = 0;
    const tick = (): void => {
      const now = performance.now();
      if (this.ending) return;
      for (const due = Math.floor(((now - begin) * perSecond) / 1000); sent < due; sent++) {
        const since = begin + (sent * 1000) / perSecond;
        if (this.open.size < this.load.streams) this.send(since);
        else this.dueAt.push(since);
      }
      this.flush();
      if (this.load.spin) setImmediate(tick);
      else setTimeout(tick, 1);
    };
    tick();
  }

  private stop(): void {
    this.ending = true;
    this.dueAt.length = 0;
    if (this.open.size === 0) this.close();
  }

  private close(): void {
    this.socket.removeAllListeners("close");
    this.socket.destroy();
    this.done();
  }

  private send(since: number): void {
    const id = this.nextId;
    this.nextId += 2;
    this.open.set(id, { since, seen: 0 });
    this.out.add(id === 1 ? this.first : this.later, id);
    this.out.add(this.tally.next(), id);
  }

  private flush(): void {
    const bytes = this.out.take();
    if (bytes) this.socket.write(bytes);
  }

  private onData(chunk: Buffer): void {
    const bytes = this.rest.length ? Buffer.concat([this.rest, chunk]) : chunk;
    this.received += chunk.length;
    let at = 0;
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      this.onFrame(bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5), bytes, at + 9, length);
      at += 9 + length;
    }
    this.rest = bytes.subarray(at);
    if (this.received > WINDOW_STEP) {
      this.out.add(windowUpdate(0, this.received));
      this.received = 0;
    }
    this.flush();
    if (this.ending && this.open.size === 0) this.close();
  }

  private onFrame(type: number, flags: number, id: number, bytes: Buffer, at: number, length: number): void {
    if (type === TYPE.SETTINGS && !(flags & 1)) this.out.add(SETTINGS_ACK);
    else if (type === TYPE.PING && !(flags & 1))
      this.out.add(frame(TYPE.PING, 1, 0, Buffer.from(bytes.subarray(at, at + length))));
    else if (type === TYPE.GOAWAY) this.failed(new Error("the server sent GOAWAY"));
    else if (type === TYPE.RST) this.finish(id, false);
    else if (type === TYPE.DATA || type === TYPE.HEADERS) {
      const call = this.open.get(id);
      if (!call) return;
      const { expected } = this.load;
      if (type === TYPE.DATA && call.seen >= 0) {
        const right =
          call.seen + length <= expected.length &&
          bytes.compare(expected, call.seen, call.seen + length, at, at + length) === 0;
        call.seen = right ? call.seen + length : -1;
      }
      if (flags & END_STREAM) this.finish(id, call.seen === expected.length);
    }
  }

  private finish(id: number, right: boolean): void {
    const call = this.open.get(id);
    if (!call) return;
    this.open.delete(id);
    this.tally.add(right, call.since);
    if (--this.left === 0) this.ending = true;
    if (this.ending) return;
    if (this.load.rate === undefined) this.send(performance.now());
    else if (this.dueAt.length) this.send(this.dueAt.shift()!);
  }
}
