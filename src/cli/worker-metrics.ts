import cluster, { type Worker } from "node:cluster";
import type { Clock, Timer } from "../lib/clock.ts";
import {
  addGrowing,
  growingPart,
  type MetricsPeers,
  type MetricsSnapshot,
  withNumbersOnly,
} from "../observe/metrics-snapshot.ts";

/** How long a worker may take to tell its metrics before its last ones stand for it, ms. */
const TELL_MS = 1_000;

/** What the worker that is scraped waits for all of it, ms; then it shows its own. */
const GATHER_MS = 2 * TELL_MS;

/**
 * What workers and their primary say to each other about metrics: the scraped one `ask`s with its own, the primary
 * bids the others `tell`, each has then `told`, and all of it is the `answer`.
 */
type Message =
  | { readonly metrics: "ask"; readonly id: number; readonly snapshot: MetricsSnapshot }
  | { readonly metrics: "tell"; readonly id: number }
  | { readonly metrics: "told"; readonly id: number; readonly snapshot: MetricsSnapshot }
  | { readonly metrics: "answer"; readonly id: number; readonly snapshots: readonly MetricsSnapshot[] };

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && "metrics" in value;
}

/** The primary's part: brings together what the workers count, those that have ended among them. */
export class MetricsExchange {
  readonly #clock: Clock;
  readonly #last = new Map<Worker, MetricsSnapshot>();
  readonly #gatherings = new Map<number, Gathering>();
  #departed: MetricsSnapshot = [];
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Listens to a worker from its start on. */
  add(worker: Worker): void {
    this.#last.set(worker, []);
    worker.on("message", (message: unknown) => {
      if (!isMessage(message)) return;
      if (message.metrics === "ask") this.#gather(worker, message.id, message.snapshot);
      else if (message.metrics === "told") {
        this.#last.set(worker, message.snapshot);
        this.#settle(message.id, worker);
      }
    });
    worker.once("exit", () => {
      this.#departed = addGrowing(this.#departed, growingPart(this.#last.get(worker) ?? []));
      this.#last.delete(worker);
      for (const id of this.#gatherings.keys()) this.#settle(id, worker);
    });
  }

  #gather(asker: Worker, askedId: number, own: MetricsSnapshot): void {
    this.#last.set(asker, own);
    const others = [...this.#last.keys()].filter((worker) => worker !== asker && worker.isConnected());
    const id = ++this.#lastId;
    const timer = this.#clock.setTimer(TELL_MS, () => this.#finish(id));
    this.#gatherings.set(id, { asker, askedId, pending: new Set(others), timer });
    for (const worker of others) send(worker, { metrics: "tell", id });
    if (others.length === 0) this.#finish(id);
  }

  #settle(id: number, worker: Worker): void {
    const gathering = this.#gatherings.get(id);
    if (gathering?.pending.delete(worker) && gathering.pending.size === 0) this.#finish(id);
  }

  #finish(id: number): void {
    const gathering = this.#gatherings.get(id);
    if (!gathering) return;
    this.#gatherings.delete(id);
    gathering.timer.cancel();
    const snapshots = [...this.#last.values(), this.#departed];
    if (gathering.asker.isConnected())
      send(gathering.asker, { metrics: "answer", id: gathering.askedId, snapshots });
  }
}

interface Gathering {
  readonly asker: Worker;
  readonly askedId: number;
  readonly pending: Set<Worker>;
  readonly timer: Timer;
}

/** A worker that dies meanwhile is told nothing; its exit settles what waits for it. */
function send(worker: Worker, message: Message): void {
  worker.send(message, () => {});
}

/** A worker's part; `undefined` outside one. */
export function createMetricsPeers(clock: Clock): MetricsPeers | undefined {
  const { worker } = cluster;
  if (!worker) return undefined;
  const asked = new Map<number, (snapshots: readonly MetricsSnapshot[]) => void>();
  let lastId = 0;
  return {
    share(read) {
      worker.on("message", (message: unknown) => {
        if (!isMessage(message)) return;
        if (message.metrics === "answer") asked.get(message.id)?.(message.snapshots);
        else if (message.metrics === "tell")
          void read().then((snapshot) => send(worker, { metrics: "told", id: message.id, snapshot }));
      });
    },
    async gather(own) {
      const id = ++lastId;
      const answer = Promise.withResolvers<readonly MetricsSnapshot[]>();
      asked.set(id, answer.resolve);
      const timer = clock.setTimer(GATHER_MS, () => answer.resolve([own]));
      send(worker, { metrics: "ask", id, snapshot: own });
      const snapshots = await answer.promise;
      asked.delete(id);
      timer.cancel();
      return snapshots.map(withNumbersOnly);
    },
  };
}
