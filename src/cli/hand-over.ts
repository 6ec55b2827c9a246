import cluster, { type Worker } from "node:cluster";
import type { Socket } from "node:net";
import { type OpenPort, openPort, type Port } from "../listen/port.ts";

/** Connections that wait while no worker is there to take them; what comes beyond is closed at once. */
const MAX_WAITING = 1_000;

/**
 * What the process that listens and its workers say to each other: a connection is `give`n and was `taken`; a worker
 * that wants no more says `stop`, and `stopped` comes behind the last one that it was given.
 */
type Message =
  | { readonly port: "give"; readonly id: number }
  | { readonly port: "taken"; readonly id: number }
  | { readonly port: "stop" }
  | { readonly port: "stopped" };

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && "port" in value;
}

/**
 * The one port of several workers. Its connections go to the workers in turn, and past one that is slow to take what
 * it was given: a connection lives long and carries many calls, so that all workers should have as many. That is why
 * the kernel does not choose (SO_REUSEPORT): of four connections it gives all to one of two workers every eighth time.
 *
 * This process reads nothing of a connection, and keeps it until its worker has said that it has it, so that what was
 * on its way to a worker that dies goes to another.
 */
export class HandOver {
  /** The workers that take connections; whose turn is next comes first. */
  readonly #turns: Worker[] = [];
  /** What each worker was given and has not taken. */
  readonly #given = new Map<Worker, Map<number, Socket>>();
  #waiting: Socket[] = [];
  #port: Port | undefined;
  #leaving = false;
  #lastId = 0;

  /** Opens the port and returns its address. Rejects as {@link openPort} does. */
  async open(listen: string): Promise<string> {
    const take = (socket: Socket): void => {
      // A caller that leaves before its connection has reached a worker.
      socket.on("error", () => {});
      this.#give(socket);
    };
    this.#port = await openPort(listen, take, { paused: true });
    return this.#port.address;
  }

  /** Gives connections to a worker from now on, until it ends or wants no more. */
  add(worker: Worker): void {
    this.#turns.push(worker);
    this.#given.set(worker, new Map());
    worker.on("message", (message: unknown) => {
      if (!isMessage(message)) return;
      if (message.port === "taken") this.#taken(worker, message.id);
      else if (message.port === "stop") void this.#stop(worker);
    });
    worker.once("exit", () => this.#gone(worker));
    this.#giveAll(this.#waiting.splice(0));
  }

  /** The workers are about to leave: the port is closed by the first of them that wants no more. */
  leave(): void {
    this.#leaving = true;
    // Ctrl-C reaches every process, and the workers may have been quicker.
    if (this.#turns.length === 0) void this.#port?.close();
  }

  /** Closes the port, and what no worker has taken. */
  async close(): Promise<void> {
    await this.#port?.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #giveAll(sockets: Iterable<Socket>): void {
    for (const socket of sockets) this.#give(socket);
  }

  #give(socket: Socket): void {
    const worker = this.#next();
    if (worker === undefined) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(socket);
      else socket.destroy();
      return;
    }
    const id = ++this.#lastId;
    this.#given.get(worker)?.set(id, socket);
    // A worker that dies meanwhile is told nothing; its exit gives the connection to another.
    worker.send({ port: "give", id } satisfies Message, socket, { keepOpen: true }, () => {});
  }

  /** The worker with the fewest connections that it has not taken yet; of several the one whose turn it is. */
  #next(): Worker | undefined {
    const pending = (worker: Worker): number => this.#given.get(worker)?.size ?? 0;
    const fewest = Math.min(...this.#turns.map(pending));
    const at = this.#turns.findIndex((worker) => pending(worker) === fewest);
    if (at < 0) return undefined;
    const [next] = this.#turns.splice(at, 1);
    if (next) this.#turns.push(next);
    return next;
  }

  #taken(worker: Worker, id: number): void {
    const given = this.#given.get(worker);
    // Ours is a copy: closing it ends nothing.
    given?.get(id)?.destroy();
    given?.delete(id);
  }

  async #stop(worker: Worker): Promise<void> {
    // What the port brings while it closes goes to this worker, too.
    if (this.#leaving) await this.#port?.close();
    this.#remove(worker);
    worker.send({ port: "stopped" } satisfies Message, () => {});
  }

  #gone(worker: Worker): void {
    this.#remove(worker);
    const given = this.#given.get(worker);
    this.#given.delete(worker);
    if (given) this.#giveAll(given.values());
  }

  #remove(worker: Worker): void {
    const at = this.#turns.indexOf(worker);
    if (at >= 0) this.#turns.splice(at, 1);
  }
}

/** A worker's part: its connections come from the process that listens. `undefined` outside a worker. */
export function handedPort(address: string): OpenPort | undefined {
  const { worker } = cluster;
  if (!worker) return undefined;
  return async (take) => {
    const stopped = Promise.withResolvers<void>();
    worker.on("message", (message: unknown, socket?: Socket) => {
      if (!isMessage(message)) return;
      if (message.port === "stopped") stopped.resolve();
      if (message.port !== "give") return;
      worker.send({ port: "taken", id: message.id } satisfies Message);
      // Closed on the way here, it arrives as undefined.
      if (socket) take(socket);
    });
    return {
      address,
      close() {
        worker.send({ port: "stop" } satisfies Message);
        return stopped.promise;
      },
    };
  };
}
