import cluster, { type Worker } from "node:cluster";
import type { Clock, Timer } from "../lib/clock.ts";
import type { Log } from "../observe/log.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { HandOver } from "./hand-over.ts";
import type { Running } from "./run-until-stopped.ts";
import { MetricsExchange } from "./worker-metrics.ts";

/** Where a worker finds the emulator that all of them share; set by {@link startWorkers} only. */
export const EMULATOR_VARIABLE = "LRO_WORKER_EMULATOR";

/** A worker that ends sooner than this after its start counts as a failure in a row, ms. */
const STABLE_MS = 60_000;

/** How long the next worker waits after a failure, ms; doubles with each in a row. */
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

/** How much longer than its own limits a worker may take to end before it is killed, ms. */
const KILL_AFTER_MS = 5_000;

/** What {@link startWorkers} needs. */
export interface WorkerOptions {
  /** How many processes share the port, 2 or more. */
  readonly count: number;
  /** Where to listen, as in the configuration. */
  readonly listen: string;
  /** Endpoint of the embedded emulator, which lives in this process, if there is one. */
  readonly emulator: string | undefined;
  /** How long a worker's drain may take in all, ms. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Told where the port is, when all workers take calls. */
  readonly listening: (address: string) => void;
}

/** Tells the primary process that this worker takes calls; without effect outside a worker. */
export function tellServing(): void {
  cluster.worker?.send(SERVING);
}

const SERVING = "serving";

/** Whether this process is a worker of {@link startWorkers}. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/**
 * Runs the same command in several processes behind one port, which this process has: {@link HandOver}. Resolves once
 * all workers take calls.
 *
 * @throws CommandError with the exit code of a worker that could not start; it has said why. Error when the port cannot
 * be had.
 */
export async function startWorkers(options: WorkerOptions): Promise<Running & HangUp> {
  const pool = new WorkerPool(options);
  await pool.start();
  return pool;
}

/** Workers that read their TLS key pair again at SIGHUP. */
interface HangUp {
  /** Sends SIGHUP to those that serve. */
  hangUp(): void;
}

class WorkerPool implements Running, HangUp {
  readonly #options: WorkerOptions;
  readonly #workers = new Set<Worker>();
  /** Those that have told {@link SERVING}. A younger one would be ended by a signal, and has just read everything. */
  readonly #serving = new Set<Worker>();
  readonly #restarts = new Set<Timer>();
  readonly #metrics: MetricsExchange;
  readonly #port = new HandOver();
  #failures = 0;
  #started = false;
  #stopping = false;
  #failedStops = 0;
  #allGone = Promise.withResolvers<void>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#metrics = new MetricsExchange(options.clock);
  }

  /** Resolves when all workers take calls. */
  async start(): Promise<void> {
    const { listen, count, listening } = this.#options;
    const address = await this.#port.open(listen);
    try {
      // One first: what is wrong with the configuration is then said once.
      await this.#startFirst();
      await Promise.all(Array.from({ length: count - 1 }, () => this.#startFirst()));
    } catch (error) {
      await this.#port.close();
      throw error;
    }
    this.#started = true;
    listening(address);
  }

  hangUp(): void {
    for (const worker of this.#serving) worker.process.kill("SIGHUP");
  }

  async drain(): Promise<void> {
    const { clock, drainMs, log } = this.#options;
    this.#stopping = true;
    for (const restart of this.#restarts) restart.cancel();
    this.#port.leave();
    for (const worker of this.#workers) worker.process.kill("SIGTERM");
    if (this.#workers.size === 0) this.#allGone.resolve();
    const kill = clock.setTimer(drainMs + KILL_AFTER_MS, () => {
      log.error("workers did not end in time and are killed", { workers: this.#workers.size });
      for (const worker of this.#workers) worker.process.kill("SIGKILL");
    });
    await this.#allGone.promise;
    kill.cancel();
    await this.#port.close();
    if (this.#failedStops > 0)
      throw new CommandError(`${this.#failedStops} workers did not end in good order`, EXIT.FAILED);
  }

  #startFirst(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = this.#fork(resolve);
      worker.once("exit", (code) =>
        reject(new CommandError("a worker could not start", code || EXIT.FAILED)),
      );
    });
  }

  #fork(onServing: () => void = () => {}): Worker {
    const { clock, emulator } = this.#options;
    const worker = cluster.fork(emulator === undefined ? {} : { [EMULATOR_VARIABLE]: emulator });
    const startedAt = clock.monotonic();
    let served = false;
    this.#workers.add(worker);
    this.#metrics.add(worker);
    worker.on("message", (message: unknown) => {
      if (message !== SERVING) return;
      served = true;
      this.#serving.add(worker);
      this.#port.add(worker);
      onServing();
    });
    worker.on("exit", (code, signal) => {
      this.#workers.delete(worker);
      this.#serving.delete(worker);
      // One that is told to stop while it starts has not learnt yet to do it in good order, and had no calls.
      if (this.#stopping) this.#stopped(served ? code : EXIT.OK);
      else if (served || this.#started) this.#restart(worker, clock.monotonic() - startedAt, code, signal);
    });
    return worker;
  }

  #stopped(code: number): void {
    if (code !== EXIT.OK) this.#failedStops++;
    if (this.#workers.size === 0) this.#allGone.resolve();
  }

  #restart(worker: Worker, livedMs: number, code: number, signal: string): void {
    const { clock, log } = this.#options;
    this.#failures = livedMs < STABLE_MS ? this.#failures + 1 : 1;
    const delayMs = Math.min(FIRST_DELAY_MS * 2 ** (this.#failures - 1), MAX_DELAY_MS);
    log.error("a worker has ended; another takes its place", {
      worker: worker.process.pid,
      code: code ?? undefined,
      signal: signal ?? undefined,
      delayMs,
    });
    const timer = clock.setTimer(delayMs, () => {
      this.#restarts.delete(timer);
      this.#fork();
    });
    this.#restarts.add(timer);
  }
}
