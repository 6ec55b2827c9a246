import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { State, type WatchOperationResponse } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { WaitingEngine } from "../../src/waiting/engine.ts";
import { EngineBench, operationName } from "../support/engine-bench.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { StreamReader } from "../support/stream-reader.ts";
import { TERMINAL } from "./random-clients.ts";

const CLIENTS = 200;
const DURATION = 600_000;

/** What stands between clients and gateway: cuts streams that were silent for 20 s, and all of them every 90 s. */
const IDLE_MS = 20_000;
const CUT_MS = 90_000;

/** A client that attaches again as docs/waiting.md says, until it holds a terminal state. */
class ReattachingClient {
  readonly states: State[] = [];
  terminals = 0;
  attaches = 0;
  cutForSilence = 0;
  private reader: StreamReader<WatchOperationResponse> | undefined;
  private readonly bench: EngineBench;
  private readonly random: SeededRandom;
  private readonly engine: () => WaitingEngine;
  private idle = { cancel: () => {} };

  constructor(bench: EngineBench, random: SeededRandom, engine: () => WaitingEngine) {
    this.bench = bench;
    this.random = random;
    this.engine = engine;
    this.attach();
  }

  /** The connection is gone, from whichever side. */
  cut(): void {
    if (!this.reader || this.terminals > 0) return;
    this.reader.leave();
    this.reader = undefined;
    this.later(1_000);
  }

  private attach(): void {
    this.attaches++;
    this.watchSilence();
    const reader = new StreamReader(
      this.engine().watchOperation(operationName(1), this.bench.call()),
      (message) => {
        this.watchSilence();
        if (message.state !== State.STATE_UNSPECIFIED) this.states.push(message.state);
        if (TERMINAL.has(message.state)) this.terminals++;
      },
    );
    this.reader = reader;
    reader.end.then((error) => {
      if (this.reader !== reader) return;
      this.idle.cancel();
      this.reader = undefined;
      if (!error) return;
      expect(error.code).toBe(Code.Unavailable);
      const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
      this.later(Number(delay?.seconds ?? 1n) * 1_000 + (delay?.nanos ?? 0) / 1e6);
    });
  }

  private later(delayMs: number): void {
    this.idle.cancel();
    this.bench.clock.setTimer(delayMs * (1 + this.random.next()), () => this.attach());
  }

  private watchSilence(): void {
    this.idle.cancel();
    this.idle = this.bench.clock.setTimer(IDLE_MS, () => {
      this.cutForSilence++;
      this.cut();
    });
  }
}

test(`${CLIENTS} clients behind a proxy that cuts streams, with a gateway that is restarted once, each end with the terminal state, once`, async () => {
  const bench = new EngineBench({ config: { maxStreamAge: 240_000 } });
  const { clock, upstream } = bench;
  const random = new SeededRandom(1);
  let engine = bench.engine;
  upstream.start(operationName(1), DURATION);
  const clients = Array.from({ length: CLIENTS }, () => new ReattachingClient(bench, random, () => engine));
  for (let at = CUT_MS; at < 2 * DURATION; at += CUT_MS)
    clock.setTimer(at, () => {
      for (const client of clients) client.cut();
    });
  clock.setTimer(DURATION / 2 + 5_000, () => {
    engine.drain();
    engine = new WaitingEngine(bench.engine.options);
  });
  await clock.advance(DURATION + 30_000);

  expect(clients.map(({ terminals }) => terminals)).toEqual(clients.map(() => 1));
  expect(clients.every(({ states }) => states.at(-1) === State.SUCCEEDED)).toBe(true);
  expect(clients.every(({ cutForSilence }) => cutForSilence === 0)).toBe(true);
  const attaches = clients.reduce((sum, client) => sum + client.attaches, 0);
  console.log(
    `${CLIENTS} clients, ${(attaches / CLIENTS).toFixed(1)} attaches each in ${DURATION / 60_000} minutes: ${upstream.requests().length} reads`,
  );
  expect(upstream.requests().length, "reattaching is cheap").toBeLessThan(100);
  await clock.advance(60_000);
  expect(engine.stats).toMatchObject({ watches: 0, operations: 0, reads: 0 });
});
