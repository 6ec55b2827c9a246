import cluster, { type Worker } from "node:cluster";
import type { Clock, Timer } from "../lib/clock.ts";
import type { Log } from "../observe/log.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
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
  /** Endpoint of the embedded emulator, which lives in this process, if there is one. */
  readonly emulator: string | undefined;
  /** How long a worker's drain may take in all, ms. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Told where the workers listen: once, and again if it has changed because all of them died on a port of chance. */
  readonly listening: (address: string) => void;
}

/** Tells the primary process that this worker takes calls; without effect outside a worker. */
export function tellListening(address: string): void {
  cluster.worker?.send({ listening: address });
}

/** Whether this process is a worker of {@link startWorkers}. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/**
 * Runs the same command in several processes behind one port. This process accepts connections and hands each to the
 * next worker; it reads nothing of them. Resolves once all workers take calls.
 *
 * @throws CommandError with the exit code of a worker that could not start; it has said why.
 */
export async function startWorkers(options: WorkerOptions): Promise<Running> {
  const pool = new WorkerPool(options);
  // One first: what is wrong with the configuration or the port is then said once.
  await pool.start(1);
  await pool.start(options.count - 1);
  return pool;
}

class WorkerPool implements Running {
  readonly #options: WorkerOptions;
  readonly #workers = new Set<Worker>();
  readonly #restarts = new Set<Timer>();
  readonly #metrics: MetricsExchange;
  #failures = 0;
  #stopping = false;
  #failedStops = 0;
  #address: string | undefined;
  #allGone: (() => void) | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#metrics = new MetricsExchange(options.clock);
  }

  /** Resolves when so many further workers take calls. */
  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#startFirst()));
    if (this.#workers.size === this.#options.count && this.#address !== undefined)
      this.#options.listening(this.#address);
  }

  async drain(): Promise<void> {
    const { clock, drainMs, log } = this.#options;
    this.#stopping = true;
    for (const restart of this.#restarts) restart.cancel();
    const gone = new Promise<void>((resolve) => {
      this.#allGone = resolve;
    });
    for (const worker of this.#workers) worker.process.kill("SIGTERM");
    if (this.#workers.size === 0) this.#allGone?.();
    const kill = clock.setTimer(drainMs + KILL_AFTER_MS, () => {
      log.error("workers did not end in time and are killed", { workers: this.#workers.size });
      for (const worker of this.#workers) worker.process.kill("SIGKILL");
    });
    await gone;
    kill.cancel();
    if (this.#failedStops > 0)
      throw new CommandError(`${this.#failedStops} workers did not end in good order`, EXIT.FAILED);
  }

  #startFirst(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = this.#fork();
      worker.once("message", () => resolve());
      worker.once("exit", (code) => {
        if (this.#stopping) resolve();
        else reject(new CommandError("a worker could not start", code || EXIT.FAILED));
      });
    });
  }

  #fork(): Worker {
    const { clock, emulator } = this.#options;
    const worker = cluster.fork(emulator === undefined ? {} : { [EMULATOR_VARIABLE]: emulator });
    const startedAt = clock.monotonic();
    let listened = false;
    this.#workers.add(worker);
    this.#metrics.add(worker);
    worker.on("message", (message: { readonly listening?: unknown }) => {
      if (typeof message.listening !== "string") return;
      listened = true;
      if (this.#address !== undefined && message.listening !== this.#address)
        this.#options.listening(message.listening);
      this.#address = message.listening;
    });
    worker.on("exit", (code, signal) => {
      this.#workers.delete(worker);
      // One that is told to stop while it starts has not learnt yet to do it in good order, and had no calls.
      if (this.#stopping) this.#stopped(listened ? code : EXIT.OK);
      else if (listened || this.#address !== undefined)
        this.#restart(worker, clock.monotonic() - startedAt, code, signal);
    });
    return worker;
  }

  #stopped(code: number): void {
    if (code !== EXIT.OK) this.#failedStops++;
    if (this.#workers.size === 0) this.#allGone?.();
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
