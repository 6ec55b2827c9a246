import { ConnectError } from "@connectrpc/connect";
import type { Operation } from "../../../gen/google/longrunning/operations_pb.ts";
import type { Config } from "../../config/config.ts";
import { gatewayError } from "../../errors/reasons.ts";
import { errorOf } from "../../errors/thrown.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Encoded } from "../../lib/encoded.ts";
import { isDone } from "../../lib/operation-done.ts";
import { SmallSet } from "../../lib/small-set.ts";
import type { TraceContext } from "../../lib/trace-context.ts";
import type { BackgroundRequest } from "../../upstream/background.ts";
import type { OperationsApi, UpstreamAnswerInfo } from "../../upstream/operations-api.ts";
import { Observation } from "../facts/observation.ts";
import { meaningOf, retryAfter } from "../facts/read-failure.ts";
import type { ReadTicket } from "../schedule/read-scope.ts";
import type { UpstreamClock } from "../schedule/upstream-clock.ts";
import { EngineCall } from "./engine-call.ts";
import type { ReadTarget } from "./read-target.ts";

/** One who wants to know what a read finds. */
export interface Reader {
  /** On the monotonic clock; when the read is of no use to him any more. */
  readonly deadline: number;
  readonly authorization: string | undefined;
  readonly requestId: string;
  /** Goes upstream when nobody shares the read. Absent in polls, which belong to no single call. */
  readonly trace?: TraceContext | undefined;
  /** Polls have a schedule of their own instead. */
  readonly retry: boolean;
  /** A poll; absent: a caller waits for this very read. */
  readonly background?: boolean;
  /** Called once, unless he has left. */
  found(seen: Observation, answer: UpstreamAnswerInfo | undefined): void;
  /** Called once instead, unless he has left. */
  failed(error: ConnectError, answer: UpstreamAnswerInfo | undefined): void;
}

/** Told of every read, before those who asked for it. */
export interface ReadObserver {
  found(key: string, seen: Observation): void;
  failed(key: string, error: ConnectError): void;
  /** It was given up, since all who had asked for it have left. */
  abandoned(key: string): void;
}

/** A poll is given up after this long; the next one may be luckier. */
export const READ_TIMEOUT_MS = 20_000;

/** A read and all who share it. */
class SharedRead implements BackgroundRequest {
  readonly readers = new SmallSet<Reader>();
  call: EngineCall | undefined;
  ticket: ReadTicket | undefined;
  /** A poll that has no connection yet. */
  waits = false;
  /** Takes it back while it waits for its turn. */
  takeBack: (() => void) | undefined;
}

/** The reads of one key. */
class Lane {
  readonly target: ReadTarget;
  inFlight: SharedRead | undefined;
  waiting: SharedRead | undefined;

  constructor(target: ReadTarget) {
    this.target = target;
  }
}

/**
 * Sharing of reads: at most one in flight and one waiting per name and identity. Whoever comes joins the one that
 * waits, which is sent when the one in flight is back: so N callers cost one read for each round trip, and none gets
 * an answer that was on its way before he asked. A poll that still waits for a connection is not on its way: who comes
 * then makes it his, or he would wait as long as polls do.
 */
export class ReadCollapse {
  readonly #lanes = new Map<string, Lane>();
  readonly #api: OperationsApi;
  readonly #clock: Clock;
  readonly #credentials: Config["upstream"]["credentials"];
  readonly #observer: ReadObserver;
  readonly #upstreamClock: UpstreamClock;

  constructor(
    api: OperationsApi,
    clock: Clock,
    upstreamClock: UpstreamClock,
    credentials: Config["upstream"]["credentials"],
    observer: ReadObserver,
  ) {
    this.#api = api;
    this.#clock = clock;
    this.#upstreamClock = upstreamClock;
    this.#credentials = credentials;
    this.#observer = observer;
  }

  /** Names that are being read. */
  get size(): number {
    return this.#lanes.size;
  }

  /** Reads for a caller, in his turn. Returns how to leave. */
  read(target: ReadTarget, reader: Reader): () => void {
    const lane = this.#lane(target);
    const { inFlight } = lane;
    const shared = inFlight?.waits ? inFlight : (lane.waiting ?? new SharedRead());
    shared.readers.add(reader);
    if (shared === inFlight) this.#overtake(lane, shared);
    else if (!lane.waiting) {
      lane.waiting = shared;
      if (!lane.inFlight) this.#queue(lane, shared);
    }
    return () => this.#leave(lane, shared, reader);
  }

  /**
   * Reads for a poll whose turn has come. Returns how to leave, or `undefined` when a read of the key is in flight
   * already: its result comes by way of the {@link ReadObserver}.
   */
  poll(target: ReadTarget, reader: Reader, ticket: ReadTicket): (() => void) | undefined {
    const lane = this.#lane(target);
    if (lane.inFlight) return undefined;
    const shared = lane.waiting ?? new SharedRead();
    shared.readers.add(reader);
    shared.takeBack?.();
    this.#send(lane, shared, ticket);
    return () => this.#leave(lane, shared, reader);
  }

  #lane(target: ReadTarget): Lane {
    let lane = this.#lanes.get(target.key);
    if (!lane) {
      lane = new Lane(target);
      this.#lanes.set(target.key, lane);
    }
    return lane;
  }

  #queue(lane: Lane, shared: SharedRead): void {
    const takeBack = lane.target.scope.call((ticket) => this.#send(lane, shared, ticket));
    // It may have been sent, and answered, already.
    if (lane.waiting === shared) shared.takeBack = takeBack;
  }

  /**
   * Sends a poll's read again, as that of the caller who has joined it, and gives up the poll's request, which was never
   * written. A new one and not the old one moved to the front: it has the caller's deadline and retries. The budget has
   * been charged for it already.
   */
  #overtake(lane: Lane, shared: SharedRead): void {
    const { call: poll, ticket } = shared;
    if (!poll || !ticket) return;
    this.#send(lane, shared, { ...ticket, sentAt: this.#clock.monotonic() });
    poll.end(gatewayError("CALLER_GONE", "a caller reads instead"));
  }

  #send(lane: Lane, shared: SharedRead, ticket: ReadTicket): void {
    if (lane.waiting === shared) lane.waiting = undefined;
    lane.inFlight = shared;
    shared.takeBack = undefined;
    shared.ticket = ticket;
    shared.waits = false;
    const call = this.#callFor(shared);
    shared.call = call;
    const readTime = this.#clock.now();
    const finish = (result: Encoded<Operation> | ConnectError): void => {
      // Of its end and its answer the first counts, and neither once a caller reads instead.
      if (lane.inFlight !== shared || shared.call !== call) return;
      call.settled();
      this.#settle(lane, shared, ticket, readTime, result);
    };
    // Whoever ends the call does not wait for the upstream stage to notice.
    call.onEnd({ callEnded: finish });
    this.#api.get(lane.target.name, call).then(finish, (cause) => finish(errorOf(cause)));
  }

  /** The upstream call that serves all readers: as long as the most patient one has, retried if one wants that. */
  #callFor(shared: SharedRead): EngineCall {
    const { readers } = shared;
    let deadline = Number.NEGATIVE_INFINITY;
    let retry = false;
    let background: BackgroundRequest | undefined = shared;
    let first: Reader | undefined;
    readers.forEach((reader) => {
      first ??= reader;
      deadline = Math.max(deadline, reader.deadline);
      retry ||= reader.retry;
      if (!reader.background) background = undefined;
    });
    return new EngineCall({
      clock: this.#clock,
      authorization: first?.authorization,
      requestId: first?.requestId ?? "",
      // Whoever shares a read would find it in a stranger's trace; each has its own, or none.
      trace: readers.size === 1 ? first?.trace : undefined,
      deadline,
      retry,
      background,
      // Calls watch their own time, and leave.
      timed: !retry,
    });
  }

  #settle(
    lane: Lane,
    shared: SharedRead,
    ticket: ReadTicket,
    readTime: number,
    result: Encoded<Operation> | ConnectError,
  ): void {
    const { key, scope } = lane.target;
    const failure = result instanceof ConnectError ? result : undefined;
    lane.inFlight = undefined;
    const limited = failure !== undefined && meaningOf(failure, this.#credentials) === "limited";
    scope.settled(ticket, { limited, retryAfterMs: failure && retryAfter(failure) });
    const abandoned = failure !== undefined && shared.readers.size === 0;
    // Before the next read is sent: a poll that had relied on this one makes that its own.
    if (abandoned) this.#observer.abandoned(key);
    let late: SharedRead | undefined;
    // An operation that is done does not change: whoever has come meanwhile needs no read of his own.
    if (lane.waiting && !lane.waiting.takeBack && !(result instanceof ConnectError) && isDone(result)) {
      late = lane.waiting;
      lane.waiting = undefined;
    }
    if (!lane.inFlight && lane.waiting && !lane.waiting.takeBack) this.#queue(lane, lane.waiting);
    this.#forget(lane);
    const answer = shared.call?.answer;
    this.#upstreamClock.answered(answer);
    if (abandoned) return;
    if (result instanceof ConnectError) {
      this.#observer.failed(key, result);
      shared.readers.forEach((reader) => {
        reader.failed(result, answer);
      });
    } else {
      const seen = new Observation(result, ticket.sentAt, readTime);
      this.#observer.found(key, seen);
      const tell = (reader: Reader) => reader.found(seen, answer);
      shared.readers.forEach(tell);
      late?.readers.forEach(tell);
      late?.readers.clear();
    }
    shared.readers.clear();
  }

  #leave(lane: Lane, shared: SharedRead, reader: Reader): void {
    if (!shared.readers.delete(reader) || shared.readers.size > 0) return;
    if (shared.call) {
      shared.call.end(gatewayError("CALLER_GONE", "nobody waits for this read any more"));
      return;
    }
    shared.takeBack?.();
    if (lane.waiting === shared) lane.waiting = undefined;
    this.#forget(lane);
  }

  #forget(lane: Lane): void {
    if (!lane.inFlight && !lane.waiting && this.#lanes.get(lane.target.key) === lane)
      this.#lanes.delete(lane.target.key);
  }
}
