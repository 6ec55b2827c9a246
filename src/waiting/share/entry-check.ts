import { Code, type ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import type { Observation } from "../facts/observation.ts";
import type { DueQueue } from "../schedule/due-queue.ts";
import type { Poll, ReadTicket } from "../schedule/read-scope.ts";
import { READ_TIMEOUT_MS, type ReadCollapse, type Reader } from "./read-collapse.ts";
import type { ReadTarget } from "./read-target.ts";

/** Told what a single read has come to. */
export interface CheckListener {
  /** Whether anybody still wants to know. */
  wanted(): boolean;
  /** The read is over. Returns true when nobody wants to know any more. */
  over(): boolean;
  found(seen: Observation): void;
  /** The upstream does not have it; the read was sent at `goneTime`, on the wall clock. */
  gone(goneTime: number): void;
}

/** What it works with. */
interface CheckTools {
  readonly clock: Clock;
  /** For what callers are told of times, see steady-clock.ts. */
  readonly steady: Clock;
  readonly reads: ReadCollapse;
}

/** A single read of an operation beside the passes over its collection: a poll within the budget of its scope. */
export class EntryCheck implements Poll, Reader {
  due = 0;
  place = -1;
  queue: DueQueue<Poll> | undefined;
  readonly urgent = false;
  readonly retry = false;
  readonly background = true;
  readonly requestId = "poll";
  readonly authorization: string | undefined;
  readonly #target: ReadTarget;
  readonly #tools: CheckTools;
  readonly #listener: CheckListener;
  #readTime = 0;

  constructor(
    target: ReadTarget,
    authorization: string | undefined,
    tools: CheckTools,
    listener: CheckListener,
  ) {
    this.#target = target;
    this.authorization = authorization;
    this.#tools = tools;
    this.#listener = listener;
  }

  get deadline(): number {
    return this.#tools.clock.monotonic() + READ_TIMEOUT_MS;
  }

  start(): void {
    this.#target.scope.schedule(this, this.#tools.clock.monotonic());
  }

  send(ticket: ReadTicket): boolean {
    this.#readTime = this.#tools.steady.now();
    if (this.#listener.wanted() && this.#tools.reads.poll(this.#target, this, ticket)) return true;
    this.#listener.over();
    return false;
  }

  found(seen: Observation): void {
    if (!this.#listener.over()) this.#listener.found(seen);
  }

  failed(error: ConnectError): void {
    if (!this.#listener.over() && error.code === Code.NotFound) this.#listener.gone(this.#readTime);
  }
}
