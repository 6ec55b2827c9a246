import type { ConnectError } from "@connectrpc/connect";
import type {
  ListOperationsRequest,
  ListOperationsResponse,
  Operation,
} from "../../gen/google/longrunning/operations_pb.ts";
import type {
  WatchOperationResponse,
  WatchOperationsResponse,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { Config, WaitingConfig } from "../config/config.ts";
import { errorOf } from "../errors/thrown.ts";
import type { Clock } from "../lib/clock.ts";
import type { Encoded } from "../lib/encoded.ts";
import type { EndListener } from "../lib/end-listeners.ts";
import { EqualTimers } from "../lib/equal-timers.ts";
import type { Call } from "../rpc/call.ts";
import type { ResponseStream } from "../rpc/handler.ts";
import type { OperationsApi, UpstreamCall } from "../upstream/operations-api.ts";
import { type Attendance, Attendances, type Attending } from "./attendance.ts";
import { CancelAttempts } from "./cancel/cancel-attempts.ts";
import { PLAIN_MAX_MS, PlainCancel, type ToAnswer } from "./cancel/plain-cancel.ts";
import {
  CollectionMessages,
  CollectionStream,
  type CollectionStreamTools,
} from "./deliver/collection-stream.ts";
import { Delivery } from "./deliver/delivery.ts";
import { OperationStream, type OperationStreamTools } from "./deliver/operation-stream.ts";
import { WatchMessages } from "./deliver/watch-message.ts";
import type { Observation } from "./facts/observation.ts";
import { meaningOf, retryAfter } from "./facts/read-failure.ts";
import { type Authorizer, type Identity, identityOf, type Right, shareKey } from "./identity.ts";
import { ReadBudget } from "./schedule/read-budget.ts";
import { ReadScope, ReadScopes } from "./schedule/read-scope.ts";
import { steadyClock } from "./schedule/steady-clock.ts";
import { UpstreamClock } from "./schedule/upstream-clock.ts";
import { CallRead } from "./share/call-read.ts";
import { Collections } from "./share/collections.ts";
import { type FollowTarget, type LastReads, OperationTracker } from "./share/operation-tracker.ts";
import { ReadCache } from "./share/read-cache.ts";
import { ReadCollapse } from "./share/read-collapse.ts";
import { CallTarget, type ReadTarget } from "./share/read-target.ts";

/** What the engine is made of. */
export interface EngineOptions {
  readonly api: OperationsApi;
  readonly clock: Clock;
  /** In [0, 1); for jitter only. */
  readonly random: () => number;
  readonly config: WaitingConfig;
  readonly credentials: Config["upstream"]["credentials"];
  /** Absent: whoever reaches the gateway may wait for what its credentials can read. */
  readonly authorizer?: Authorizer;
}

/** What the engine holds at present; for metrics and tests. */
export interface EngineStats {
  readonly watches: number;
  readonly operations: number;
  readonly collections: number;
  readonly reads: number;
  readonly cancels: number;
  readonly cached: number;
}

/** A finished operation is answered from memory for so long, and never longer than `waiting.reauthorize_interval`. */
const FINISHED_TTL_MS = 60_000;

/** The most staleness that a caller may allow; so long is kept what was read for such a caller. */
const MAX_STALENESS_MS = 60_000;

/**
 * The waiting engine, put together: schedules (schedule/), shares (share/) and delivers (deliver/), and knows what became
 * of cancels (cancel/); README.md is the map. All reads and cancels of the gateway pass through it, since calls and polls
 * live on one budget.
 */
export class WaitingEngine {
  readonly options: EngineOptions;
  readonly attendances: Attendances;
  readonly tracker: OperationTracker;
  readonly reads: ReadCollapse;
  readonly cancels: CancelAttempts;
  readonly #scopes: ReadScopes;
  readonly #collections: Collections;
  readonly #cache = new ReadCache();
  readonly #plainTimers: EqualTimers;
  readonly #streamTools: OperationStreamTools;
  readonly #collectionTools: CollectionStreamTools;

  constructor(options: EngineOptions) {
    const { api, clock, random, config, credentials, authorizer } = options;
    this.options = options;
    this.#scopes = new ReadScopes(() => new ReadScope(clock, new ReadBudget(config.readsPerSecond)));
    this.attendances = new Attendances({ clock, authorizer, ...config });
    const steady = steadyClock(clock);
    const upstreamClock = new UpstreamClock(clock);
    this.reads = new ReadCollapse(api, steady, upstreamClock, credentials, {
      found: (key, seen) => this.#found(key, seen),
      failed: (key, error) => this.tracker.failed(key, error),
      abandoned: (key) => this.tracker.abandoned(key),
    });
    const meaning = (error: ConnectError) => meaningOf(error, credentials);
    const listTools = { api, clock, steady, upstreamClock, meaningOf: meaning };
    const tools = { ...listTools, random, reads: this.reads, delivery: new Delivery(clock) };
    const room = () => this.#operations < config.maxOperations;
    const lastReads: LastReads = {
      get: (key) => {
        const last = this.#cache.get(key, clock.monotonic());
        return last?.done ? undefined : last;
      },
      put: (key, seen, ttlMs) => this.#keep(key, seen, ttlMs),
    };
    this.tracker = new OperationTracker(tools, listTools, this.#scopes, lastReads, {
      listThreshold: config.listThreshold,
      room,
    });
    const { maxCollectionOperations } = config;
    // What a list has brought is counted already, so that as many as are allowed are not too many.
    const overfull = () => this.#operations > config.maxOperations;
    this.#collections = new Collections({ ...tools, overfull, maxCollectionOperations }, this.#scopes);
    const life = { clock, random, heartbeat: config.heartbeat, maxStreamAge: config.maxStreamAge };
    const { tracker } = this;
    const collections = this.#collections;
    const finished = (target: FollowTarget) => this.finished(target);
    this.#streamTools = { ...life, tracker, messages: new WatchMessages(), finished };
    this.#collectionTools = { ...life, collections, messages: new CollectionMessages() };
    const requested = (target: ReadTarget) => this.#becomeYoung(target);
    this.#plainTimers = new EqualTimers(clock, PLAIN_MAX_MS);
    this.cancels = new CancelAttempts({ api, clock, reads: this.reads, credentials, requested });
  }

  get stats(): EngineStats {
    return {
      watches: this.attendances.size,
      operations: this.#operations,
      collections: this.#collections.size,
      reads: this.reads.size,
      cancels: this.cancels.size,
      cached: this.#cache.size,
    };
  }

  /** Whose right a call uses. */
  identity(authorization: string | undefined): Identity {
    return identityOf(this.options.credentials, authorization);
  }

  /** What a caller wants to follow. */
  target(name: string, authorization: string | undefined): FollowTarget {
    return { identity: this.identity(authorization), name, authorization };
  }

  /** The same for the sharing of reads and cancels. */
  readTarget({ identity, name }: FollowTarget): ReadTarget {
    return new CallTarget(shareKey(identity, name), name, this.#scopes);
  }

  /** The operation if it is done and known to be so. */
  finished({ identity, name }: FollowTarget): Observation | undefined {
    const known = this.#cache.get(shareKey(identity, name), this.options.clock.monotonic());
    return known?.done ? known : undefined;
  }

  /**
   * Lets a caller in who will wait or watch.
   *
   * @throws ConnectError at once for a name that cannot be read at all, when there is no room, or no right.
   */
  enter(
    call: Call,
    { identity, name }: FollowTarget,
    right: Right,
    waiting: Attending,
    filter = "",
  ): Attendance {
    this.options.api.check(right === "list" ? { method: right, name, filter } : { method: right, name });
    return this.attendances.enter({ call, identity, name, right, waiting });
  }

  /**
   * Reads an operation for a caller. `maxStalenessMs`: what was read no longer ago may be answered from memory; 0
   * means that only an operation that is done may.
   */
  get(name: string, call: UpstreamCall, maxStalenessMs = 0): Promise<Encoded<Operation>> {
    const target = this.readTarget(this.target(name, call.authorization));
    const { reauthorizeInterval } = this.options.config;
    const known = this.#recall(target.key, Math.min(maxStalenessMs, MAX_STALENESS_MS, reauthorizeInterval));
    if (known) return Promise.resolve(known.operation);
    return new CallRead(target, call, this.reads, (seen) => {
      if (maxStalenessMs > 0) this.#keep(target.key, seen, MAX_STALENESS_MS);
      return seen.operation;
    }).result;
  }

  /** Lists for a caller, in his turn. */
  list(request: ListOperationsRequest, call: UpstreamCall): Promise<Encoded<ListOperationsResponse>> {
    const scope = this.#scopes.of(request.name);
    return new Promise((resolve, reject) => {
      const end: EndListener = {
        callEnded: (why) => {
          takeBack();
          reject(why);
        },
      };
      const takeBack = scope.call((ticket) => {
        call.offEnd(end);
        const settle = (error?: ConnectError) => {
          const limited = error !== undefined && meaningOf(error, this.options.credentials) === "limited";
          scope.settled(ticket, { limited, retryAfterMs: error && retryAfter(error) });
        };
        this.options.api.list(request, call).then(
          (page) => {
            settle();
            resolve(page);
          },
          (cause) => {
            const error = errorOf(cause);
            settle(error);
            reject(error);
          },
        );
      });
      call.onEnd(end);
    });
  }

  /** Deletes an operation, and forgets what was known of it. */
  async delete(name: string, call: UpstreamCall): Promise<void> {
    await this.options.api.delete(name, call);
    this.#cache.delete(this.readTarget(this.target(name, call.authorization)).key);
  }

  /** Cancels for a caller who wants no more than the upstream's answer; `answer` makes his own of it, or throws his error. */
  cancel<C extends UpstreamCall, T>(name: string, call: C, answer: ToAnswer<C, T>): Promise<T> {
    const target = this.readTarget(this.target(name, call.authorization));
    return new PlainCancel(target, call, this.cancels, this.#plainTimers, answer).answer;
  }

  /** The stream of WatchOperation. Throws a ConnectError when the caller is not let in. */
  watchOperation(name: string, call: Call): ResponseStream<WatchOperationResponse> {
    const target = this.target(name, call.header("authorization"));
    const stream = new OperationStream(target, this.#streamTools);
    return stream.admit(this.enter(call, target, "get", stream));
  }

  /** The stream of WatchOperations. Throws a ConnectError when the caller is not let in. */
  watchOperations(parent: string, filter: string, call: Call): ResponseStream<WatchOperationsResponse> {
    const target = this.target(parent, call.header("authorization"));
    const stream = new CollectionStream({ ...target, parent, filter }, this.#collectionTools);
    return stream.admit(this.enter(call, target, "list", stream, filter));
  }

  /** The gateway stops: waits are answered with the state as last read, streams end with UNAVAILABLE. */
  drain(): void {
    this.attendances.drain();
  }

  get #operations(): number {
    return this.tracker.size + this.#collections.operations;
  }

  #recall(key: string, maxStalenessMs: number): Observation | undefined {
    const now = this.options.clock.monotonic();
    const cached = this.#cache.get(key, now);
    if (cached?.done || maxStalenessMs <= 0) return cached?.done ? cached : undefined;
    const oldest = now - maxStalenessMs;
    return [this.tracker.find(key)?.latest, cached].find((seen) => seen && seen.sentAt >= oldest);
  }

  #found(key: string, seen: Observation): void {
    if (seen.done) this.#keep(key, seen, FINISHED_TTL_MS);
    this.tracker.found(key, seen);
  }

  #keep(key: string, seen: Observation, ttlMs: number): void {
    const ttl = Math.min(ttlMs, this.options.config.reauthorizeInterval);
    this.#cache.put(key, seen, this.options.clock.monotonic(), ttl);
  }

  #becomeYoung({ key, name }: ReadTarget): void {
    this.tracker.cancelRequested(key);
    this.#collections.becomeYoung(name);
  }
}
