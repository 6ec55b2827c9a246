import { cellName, requestBodies } from "../cells.ts";
import { END_STREAM, frame, TYPE } from "./frames.ts";
import { Http2Caller } from "./http2-caller.ts";
import type { Load, LoadResult } from "./load.ts";

/**
 * Generates load over HTTP/2 on bare sockets. The standard h2load sends one body over and over, and a gateway shares
 * calls about the same operation; here every call in flight has a name of its own. Frames are made beforehand and sent
 * as indexed header fields, as any HPACK encoder would after its first request; answers are compared byte by byte.
 */
export async function http2Load(load: Load): Promise<LoadResult> {
  const tally = new Tally(load);
  const started = performance.now();
  await Promise.all(Array.from({ length: load.connections }, () => new Http2Caller(load, tally).run()));
  return tally.result(started);
}

/** Opens one connection after another, as many at a time as the load has connections, and makes one call on each. */
export async function connectionLoad(load: Load): Promise<LoadResult> {
  const tally = new Tally(load);
  const started = performance.now();
  const end = started + load.ms;
  const connect = async (): Promise<void> => {
    while (performance.now() < end) await new Http2Caller(load, tally).run(1);
  };
  await Promise.all(Array.from({ length: load.connections }, connect));
  return tally.result(started);
}

/** What all connections of a run count together. */
export class Tally {
  private calls = 0;
  private wrong = 0;
  private readonly latencies: number[] = [];
  private readonly requests: readonly Buffer[];
  private readonly timed: boolean;
  private at: number;

  constructor(load: Load) {
    this.requests = framesOf(load);
    this.timed = load.rate !== undefined || load.connections * load.streams === 1;
    this.at = Math.floor(Math.random() * this.requests.length);
  }

  /** DATA of the next call, whose stream has still to be written into it. */
  next(): Buffer {
    const data = this.requests[this.at]!;
    this.at = (this.at + 1) % this.requests.length;
    return data;
  }

  /** Counts an answer to a call that was due then. */
  add(right: boolean, since: number): void {
    this.calls++;
    if (!right) this.wrong++;
    if (this.timed) this.latencies.push(performance.now() - since);
  }

  result(started: number): LoadResult {
    const { calls, wrong, latencies } = this;
    return { calls, wrong, latencies, seconds: (performance.now() - started) / 1000 };
  }
}

const frames = new Map<string, readonly Buffer[]>();

/** DATA frames of all calls of a cell, made once: a generator that makes garbage is late. */
function framesOf({ cell }: Load): readonly Buffer[] {
  const name = cellName(cell);
  const made = frames.get(name) ?? requestBodies(cell).map((body) => frame(TYPE.DATA, END_STREAM, 0, body));
  frames.set(name, made);
  return made;
}
