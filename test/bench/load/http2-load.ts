import { connect, type Socket } from "node:net";
import { pathOf, requestBodies, WIRES } from "../cells.ts";
import { END_STREAM, frame, headerBlocks, PREFACE, SETTINGS_ACK, TYPE, windowUpdate } from "./frames.ts";
import type { Load, LoadResult } from "./load.ts";

/**
 * Generates load over HTTP/2 on bare sockets. The standard h2load sends one body over and over, and a gateway shares
 * calls about the same operation; here every call in flight has a name of its own. Frames are made beforehand and sent
 * as indexed header fields, as any HPACK encoder would after its first request; answers are compared byte by byte.
 */
export async function http2Load(load: Load): Promise<LoadResult> {
  const bodies = requestBodies(load.cell);
  const state = new Tally(load, bodies);
  const started = performance.now();
  const connections = Array.from({ length: load.connections }, (_, i) => new Connection(load, state, i));
  await Promise.all(connections.map((connection) => connection.run()));
  return {
    calls: state.calls,
    wrong: state.wrong,
    seconds: (performance.now() - started) / 1000,
    latencies: state.latencies,
  };
}

/** After so many bytes the window of the connection is opened again. */
const WINDOW_STEP = 1 << 29;

/** What all connections of a run count together. */
class Tally {
  calls = 0;
  wrong = 0;
  readonly latencies: number[] = [];
  readonly requests: readonly Buffer[];
  readonly timed: boolean;
  private at = 0;

  constructor(load: Load, bodies: readonly Buffer[]) {
    this.requests = bodies.map((body) => frame(TYPE.DATA, END_STREAM, 0, body));
    this.timed = load.rate !== undefined || load.connections * load.streams === 1;
    this.at = Math.floor(Math.random() * bodies.length);
  }

  next(): Buffer {
    const data = this.requests[this.at]!;
    this.at = (this.at + 1) % this.requests.length;
    return data;
  }
}

interface OpenCall {
  /** When it was due, for its latency. */
  readonly since: number;
  /** Bytes of its body that have come and were right; -1 once one was not. */
  seen: number;
}

class Connection {
  private readonly load: Load;
  private readonly tally: Tally;
  private readonly socket: Socket;
  private readonly open = new Map<number, OpenCall>();
  private readonly first: Buffer;
  private readonly later: Buffer;
  private readonly dueAt: number[] = [];
  private nextId = 1;
  private rest: Buffer = Buffer.alloc(0);
  private received = 0;
  private ending = false;
  private out: Buffer[] = [PREFACE];
  private done!: () => void;
  private failed!: (error: Error) => void;

  constructor(load: Load, tally: Tally, index: number) {
    this.load = load;
    this.tally = tally;
    const { contentType, headers } = WIRES[load.cell.carrier];
    const { first, later } = headerBlocks(pathOf(load.cell), contentType, headers);
    this.first = frame(TYPE.HEADERS, 4, 0, first);
    this.later = frame(TYPE.HEADERS, 4, 0, later);
    this.socket = connect({ port: load.port, host: "127.0.0.1", noDelay: true });
    void index;
  }

  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.done = resolve;
      this.failed = reject;
      this.socket.on("error", reject);
      this.socket.on("close", () =>
        this.open.size ? reject(new Error("the server closed a connection")) : resolve(),
      );
      this.socket.on("data", (chunk: Buffer) => this.onData(chunk));
      const end = performance.now() + this.load.ms;
      setTimeout(() => this.stop(), this.load.ms);
      if (this.load.rate === undefined)
        for (let i = 0; i < this.load.streams; i++) this.send(performance.now());
      else this.pace(this.load.rate / this.load.connections, end);
      this.flush();
    });
  }

  /** Sends at a steady rate; a call that finds all streams taken waits, and its waiting counts. */
  private pace(perSecond: number, end: number): void {
    const begin = performance.now();
    let sent = 0;
    const tick = (): void => {
      const now = performance.now();
      if (now >= end || this.ending) return;
      for (const due = Math.floor(((now - begin) * perSecond) / 1000); sent < due; sent++) {
        const since = begin + (sent * 1000) / perSecond;
        if (this.open.size < this.load.streams) this.send(since);
        else this.dueAt.push(since);
      }
      this.flush();
      setTimeout(tick, 1);
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
    const head = Buffer.from(id === 1 ? this.first : this.later);
    head.writeUInt32BE(id, 5);
    const data = Buffer.from(this.tally.next());
    data.writeUInt32BE(id, 5);
    this.open.set(id, { since, seen: 0 });
    this.out.push(head, data);
  }

  private flush(): void {
    if (this.out.length === 0) return;
    this.socket.write(this.out.length === 1 ? this.out[0]! : Buffer.concat(this.out));
    this.out = [];
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
      this.out.push(windowUpdate(0, this.received));
      this.received = 0;
    }
    this.flush();
    if (this.ending && this.open.size === 0) this.close();
  }

  private onFrame(type: number, flags: number, id: number, bytes: Buffer, at: number, length: number): void {
    if (type === TYPE.SETTINGS && !(flags & 1)) this.out.push(SETTINGS_ACK);
    else if (type === TYPE.PING && !(flags & 1))
      this.out.push(frame(TYPE.PING, 1, 0, Buffer.from(bytes.subarray(at, at + length))));
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
    this.tally.calls++;
    if (!right) this.tally.wrong++;
    const now = performance.now();
    if (this.tally.timed) this.tally.latencies.push(now - call.since);
    if (this.ending) return;
    if (this.load.rate === undefined) this.send(now);
    else if (this.dueAt.length) this.send(this.dueAt.shift()!);
  }
}
