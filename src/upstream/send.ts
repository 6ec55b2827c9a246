import type { ConnectError } from "@connectrpc/connect";
import type { CallContext } from "../lib/call-context.ts";
import type { Clock, Timer } from "../lib/clock.ts";
import type { EndListener } from "../lib/end-listeners.ts";
import { type Link, LinkedList } from "../lib/linked-list.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import { type BackgroundRequest, BackgroundShare } from "./background.ts";
import {
  createDispatcherFactory,
  DEFAULT_CONNECTION_TIMEOUTS,
  type DispatcherOptions,
  type RequestDispatcher,
} from "./dispatcher.ts";
import { Exchange, type ExchangeLimits } from "./exchange.ts";
import { SendFailure } from "./send-failure.ts";

/** Limits of the sender. Every one has a default: {@link DEFAULT_SEND_LIMITS}. */
export interface SendLimits extends Pick<ExchangeLimits, "body" | "errorBody" | "requestMs"> {
  /** Connections to the upstream at most; each carries one request at a time. */
  readonly connections: number;
  /** Requests that wait for a connection at most, those of calls and those in the background each; more fail at once. */
  readonly waiting: number;
  /**
   * Calls that wait at most while the first in line has waited for {@link waitMs}, so that the line hardly moves. Those
   * that come then would wait past their use.
   */
  readonly slowWaiting: number;
  /** Milliseconds. */
  readonly waitMs: number;
}

/** Why these: see each line. */
export const DEFAULT_SEND_LIMITS: SendLimits = {
  // 64 connections are 640 requests/s at 100 ms each, several times what the upstream's quotas allow.
  connections: 64,
  // A bound for memory, 3 KiB each. An upstream that answers within a few milliseconds is through with them in a second.
  waiting: 10_000,
  // At 640 requests/s the last of 1,000 waits 1.6 s; beyond that a caller is better told to come back.
  slowWaiting: 1_000,
  waitMs: 2_000,
  // Get, List and Cancel answer in well under a second; Google's own clients give up after 10 s to 60 s.
  requestMs: 60_000,
  // A list of 1,000 operations with large errors is a few MiB; what callers accept is 4 MiB of protobuf.
  body: 32 * 1024 * 1024,
  // Google's error bodies are below 4 KiB; whatever is longer is a page that nobody will be shown.
  errorBody: 64 * 1024,
};

/** How often overdue requests are looked for. Coarse, because a timer for each request costs more than it tells. */
const SWEEP_MS = 250;

/** Who waits for the end of a request. A listener and no promise: it takes part in every call. */
export interface SendListener {
  /** The answer, whatever its status. Exactly one of this and {@link onFailure} is called, once. */
  onResponse(response: RestResponse): void;
  /** There is no answer: why, or what ended the call. */
  onFailure(why: SendFailure | ConnectError): void;
  /**
   * Set in polls, which get no more than their share of connections (background.ts): a crowd of watches would keep calls
   * from theirs.
   */
  readonly background?: BackgroundRequest | undefined;
  /**
   * For requests whose effect is wanted although nobody waits for the answer: once handed to a connection, the end of
   * the call does not cut it off.
   */
  readonly finishes?: boolean;
  /** What came of one that finished after its call, within the request limit. */
  onLateEnd?(end: RestResponse | SendFailure): void;
}

/**
 * Sends REST requests over one pool of keep-alive HTTP/1.1 connections to one origin. Each request is
 * written at most once: nothing is pipelined, redirected or sent again.
 */
export class Sender {
  readonly #limits: SendLimits & ExchangeLimits;
  readonly #clock: Clock;
  readonly #createDispatcher: () => RequestDispatcher;
  readonly #dispatchers = new Set<RequestDispatcher>();
  readonly #idle: RequestDispatcher[] = [];
  readonly #waiting = new LinkedList<Delivery>();
  readonly #background = new LinkedList<Delivery>();
  readonly #share: BackgroundShare;
  readonly #inFlight = new LinkedList<Delivery>();
  #slots = 0;
  #sweepTimer: Timer | undefined;
  #closed: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(options: DispatcherOptions & { readonly limits?: Partial<SendLimits> }, clock: Clock) {
    const { headers, body } = { ...DEFAULT_CONNECTION_TIMEOUTS, ...options.timeouts };
    this.#limits = { ...DEFAULT_SEND_LIMITS, ...options.limits, headersMs: headers, silenceMs: body };
    this.#clock = clock;
    this.#share = new BackgroundShare(this.#limits.connections);
    this.#createDispatcher = createDispatcherFactory(options, this.#limits.connections, clock);
  }

  /**
   * Sends a request once.
   *
   * @param headers flat list of names and values, complete but for host, connection and content-length
   */
  send(request: RestRequest, headers: readonly string[], call: CallContext, listener: SendListener): void {
    if (call.ended) {
      listener.onFailure(call.ended);
      return;
    }
    const line = listener.background ? this.#background : this.#waiting;
    const refused = this.#closed ? "closed" : this.#isOverloaded(line) ? "busy" : undefined;
    if (refused) {
      listener.onFailure(new SendFailure(refused, false));
      return;
    }
    const delivery = new Delivery(this, request, headers, call, listener, this.#limits);
    call.onEnd(delivery);
    delivery.inFlight = this.#inFlight.add(delivery);
    this.#sweepTimer ??= this.#clock.setTimer(SWEEP_MS, this.#sweep);
    const mayGo = listener.background === undefined || this.#share.hasRoom;
    const dispatcher = mayGo ? (this.#idle.pop() ?? this.#grow()) : undefined;
    if (dispatcher) this.#dispatch(dispatcher, delivery);
    else delivery.waiting = { line, link: line.add(delivery) };
  }

  /** Requests that have been given to the sender and have not ended. */
  get load(): number {
    return this.#inFlight.size;
  }

  /** Refuses new requests, lets those under way end (within their limit), then closes the connections. */
  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  /** A delivery has its answer, or never will. */
  ended(delivery: Delivery): void {
    if (delivery.inFlight) this.#inFlight.remove(delivery.inFlight);
    this.#unqueue(delivery);
    if (this.#inFlight.size === 0) this.#drained?.();
  }

  /** A connection is free: whose turn it is takes it. */
  release(dispatcher: RequestDispatcher, background: boolean): void {
    if (background) this.#share.returned();
    const next = this.#next();
    if (next) {
      this.#unqueue(next);
      this.#dispatch(dispatcher, next);
    } else this.#idle.push(dispatcher);
  }

  /** The call that has waited longest, else the poll that has, and that one first where it is the turn of polls. */
  #next(): Delivery | undefined {
    const call = this.#waiting.first?.value;
    const poll = this.#background.first?.value;
    if (!poll) return call;
    return (call ? this.#share.takeTurn() : this.#share.hasRoom) ? poll : call;
  }

  #isOverloaded(line: LinkedList<Delivery>): boolean {
    const { waiting, slowWaiting, waitMs } = this.#limits;
    if (line.size < slowWaiting || line.size >= waiting) return line.size >= waiting;
    return line === this.#waiting && (line.first?.value.lastedMs ?? 0) >= waitMs;
  }

  #unqueue(delivery: Delivery): void {
    delivery.waiting?.line.remove(delivery.waiting.link);
    delivery.waiting = undefined;
  }

  async #drain(): Promise<void> {
    if (this.#inFlight.size > 0)
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    this.#sweepTimer?.cancel();
    await Promise.all([...this.#dispatchers].map((dispatcher) => dispatcher.destroy()));
  }

  #grow(): RequestDispatcher | undefined {
    if (this.#slots >= this.#limits.connections) return undefined;
    this.#slots++;
    const dispatcher = this.#createDispatcher();
    this.#dispatchers.add(dispatcher);
    return dispatcher;
  }

  #dispatch(dispatcher: RequestDispatcher, delivery: Delivery): void {
    delivery.dispatcher = dispatcher;
    const { background } = delivery;
    if (background) {
      background.waits = false;
      this.#share.taken();
    }
    dispatcher.dispatch(delivery.request, delivery.headers, delivery);
  }

  readonly #sweep = (): void => {
    this.#sweepTimer = undefined;
    for (let link = this.#inFlight.first; link; ) {
      const { value, after } = link;
      value.age(SWEEP_MS);
      link = after;
    }
    if (this.#inFlight.size > 0) this.#sweepTimer = this.#clock.setTimer(SWEEP_MS, this.#sweep);
  };
}

/** One request on its way, between the call that waits for it and its connection. */
class Delivery extends Exchange implements EndListener {
  readonly request: RestRequest;
  readonly headers: readonly string[];
  dispatcher: RequestDispatcher | undefined;
  /** Its places in the lists of the sender. */
  inFlight: Link<Delivery> | undefined;
  waiting: { readonly line: LinkedList<Delivery>; readonly link: Link<Delivery> } | undefined;
  readonly #sender: Sender;
  readonly #call: CallContext;
  readonly #listener: SendListener;
  /** Its call has ended before it. */
  #abandoned = false;

  constructor(
    sender: Sender,
    request: RestRequest,
    headers: readonly string[],
    call: CallContext,
    listener: SendListener,
    limits: ExchangeLimits,
  ) {
    super(limits);
    this.#sender = sender;
    this.request = request;
    this.headers = headers;
    this.#call = call;
    this.#listener = listener;
  }

  get background(): BackgroundRequest | undefined {
    return this.#listener.background;
  }

  callEnded(why: ConnectError): void {
    this.#abandoned = true;
    this.#listener.onFailure(why);
    if (this.#listener.finishes && this.sent) return;
    this.abandon(new SendFailure("closed", this.sent));
  }

  protected override onResponse(response: RestResponse): void {
    this.#sender.ended(this);
    this.#call.offEnd(this);
    if (this.#abandoned) this.#listener.onLateEnd?.(response);
    else this.#listener.onResponse(response);
  }

  protected override onFailure(failure: SendFailure): void {
    this.#sender.ended(this);
    this.#call.offEnd(this);
    if (!this.#abandoned) this.#listener.onFailure(failure);
    else if (failure.sent) this.#listener.onLateEnd?.(failure);
  }

  protected override onRelease(): void {
    if (this.dispatcher) this.#sender.release(this.dispatcher, this.background !== undefined);
  }
}
