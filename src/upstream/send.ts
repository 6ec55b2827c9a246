import type { ConnectError } from "@connectrpc/connect";
import type { Dispatcher } from "undici";
import type { CallContext } from "../lib/call-context.ts";
import type { Clock, Timer } from "../lib/clock.ts";
import { type Link, LinkedList } from "../lib/linked-list.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import { createDispatcherFactory, type DispatcherOptions } from "./dispatcher.ts";
import { Exchange, type ExchangeListener, type ResponseLimits } from "./exchange.ts";
import { SendFailure } from "./send-failure.ts";

/** Limits of the sender. Every one has a default: {@link DEFAULT_SEND_LIMITS}. */
export interface SendLimits extends ResponseLimits {
  /** Connections to the upstream at most; each carries one request at a time. */
  readonly connections: number;
  /** Requests that wait for a connection at most; more fail at once instead of waiting past their use. */
  readonly waiting: number;
  /** Milliseconds for one request in all: waiting for a connection, sending, reading the whole answer. */
  readonly requestMs: number;
}

/** Why these: see each line. */
export const DEFAULT_SEND_LIMITS: SendLimits = {
  // 64 connections are 640 requests/s at 100 ms each, several times what the upstream's quotas allow.
  connections: 64,
  // At 640 requests/s the last of 1,000 waits 1.6 s; beyond that a caller is better told to come back.
  waiting: 1000,
  // Get, List and Cancel answer in well under a second; Google's own clients give up after 10 s to 60 s.
  requestMs: 60_000,
  // A list of 1,000 operations with large errors is a few MiB; what callers accept is 4 MiB of protobuf.
  body: 32 * 1024 * 1024,
  // Google's error bodies are below 4 KiB; whatever is longer is a page that nobody will be shown.
  errorBody: 64 * 1024,
};

/** How often overdue requests are looked for. Coarse, because a timer for each request costs more than it tells. */
const SWEEP_MS = 250;

/** How a request that outlives its call is treated. */
export interface SendOptions {
  /**
   * For requests whose effect is wanted although nobody waits for the answer: once handed to a connection, the end of
   * the call does not cut it off; the answer (or why there is none) is reported here, within the request limit.
   */
  readonly onLateEnd?: (end: RestResponse | SendFailure) => void;
}

/**
 * Sends REST requests over one pool of keep-alive HTTP/1.1 connections to one origin. The only place that talks to
 * undici's dispatch. Each request is written at most once: nothing is pipelined, redirected or sent again.
 */
export class Sender {
  private readonly origin: string;
  private readonly limits: SendLimits;
  private readonly clock: Clock;
  private readonly createDispatcher: () => Dispatcher;
  private readonly dispatchers = new Set<Dispatcher>();
  private readonly idle: Dispatcher[] = [];
  private readonly waiting = new LinkedList<Delivery>();
  private readonly inFlight = new LinkedList<Delivery>();
  private slots = 0;
  private sweepTimer: Timer | undefined;
  private closed: Promise<void> | undefined;
  private drained: (() => void) | undefined;

  constructor(options: DispatcherOptions & { readonly limits?: Partial<SendLimits> }, clock: Clock) {
    this.origin = options.origin;
    this.limits = { ...DEFAULT_SEND_LIMITS, ...options.limits };
    this.clock = clock;
    this.createDispatcher = createDispatcherFactory(options, this.limits.connections);
  }

  /**
   * Sends a request once.
   *
   * @param headers flat list of names and values, complete but for host, connection and content-length
   * @returns the answer whatever its status; rejects with {@link SendFailure}, or with what ended the call
   */
  send(
    request: RestRequest,
    headers: readonly string[],
    call: CallContext,
    options?: SendOptions,
  ): Promise<RestResponse> {
    return new Promise((resolve, reject) => {
      if (call.ended) {
        reject(call.ended);
        return;
      }
      const refused = this.closed ? "closed" : this.waiting.size >= this.limits.waiting ? "busy" : undefined;
      if (refused) {
        reject(new SendFailure(refused, false));
        return;
      }
      const expires = this.clock.monotonic() + this.limits.requestMs;
      const settle = { resolve, reject, onLateEnd: options?.onLateEnd };
      const delivery = new Delivery(this, request, headers, settle, this.limits, expires);
      delivery.watch(call);
      delivery.inFlight = this.inFlight.add(delivery);
      this.sweepTimer ??= this.clock.setTimer(SWEEP_MS, this.sweep);
      const dispatcher = this.idle.pop() ?? this.grow();
      if (dispatcher) this.dispatch(dispatcher, delivery);
      else delivery.waiting = this.waiting.add(delivery);
    });
  }

  /** Requests that have been given to the sender and have not ended. */
  get load(): number {
    return this.inFlight.size;
  }

  /** Refuses new requests, lets those under way end (within their limit), then closes the connections. */
  close(): Promise<void> {
    this.closed ??= this.drain();
    return this.closed;
  }

  /** A delivery has its answer, or never will. */
  ended(delivery: Delivery): void {
    if (delivery.inFlight) this.inFlight.remove(delivery.inFlight);
    if (delivery.waiting) this.waiting.remove(delivery.waiting);
    if (this.inFlight.size === 0) this.drained?.();
  }

  /** A connection is free: the request that has waited longest takes it. */
  release(dispatcher: Dispatcher): void {
    const next = this.waiting.first;
    if (next) {
      this.waiting.remove(next);
      this.dispatch(dispatcher, next.value);
    } else this.idle.push(dispatcher);
  }

  private async drain(): Promise<void> {
    if (this.inFlight.size > 0)
      await new Promise<void>((resolve) => {
        this.drained = resolve;
      });
    this.sweepTimer?.cancel();
    await Promise.all([...this.dispatchers].map((dispatcher) => dispatcher.destroy()));
  }

  private grow(): Dispatcher | undefined {
    if (this.slots >= this.limits.connections) return undefined;
    this.slots++;
    const dispatcher = this.createDispatcher();
    this.dispatchers.add(dispatcher);
    return dispatcher;
  }

  private dispatch(dispatcher: Dispatcher, delivery: Delivery): void {
    delivery.dispatcher = dispatcher;
    const { request, headers } = delivery;
    dispatcher.dispatch(
      {
        origin: this.origin,
        path: request.path,
        method: request.verb,
        // undici copies the list and never writes to it; its type does not say so.
        headers: headers as string[],
        body: request.body ?? null,
      },
      delivery.exchange,
    );
  }

  private readonly sweep = (): void => {
    this.sweepTimer = undefined;
    const now = this.clock.monotonic();
    // In the order of sending, which is that of expiry.
    for (let link = this.inFlight.first; link && link.value.exchange.expires <= now; ) {
      const { value, after } = link;
      value.exchange.expire();
      link = after;
    }
    if (this.inFlight.size > 0) this.sweepTimer = this.clock.setTimer(SWEEP_MS, this.sweep);
  };
}

/** Where the end of a request is reported. */
interface Settle {
  readonly resolve: (response: RestResponse) => void;
  readonly reject: (why: SendFailure | ConnectError) => void;
  readonly onLateEnd: ((end: RestResponse | SendFailure) => void) | undefined;
}

/** One request on its way, between the promise of its call and its exchange. */
class Delivery implements ExchangeListener {
  readonly request: RestRequest;
  readonly headers: readonly string[];
  readonly exchange: Exchange;
  dispatcher: Dispatcher | undefined;
  /** Its places in the lists of the sender. */
  inFlight: Link<Delivery> | undefined;
  waiting: Link<Delivery> | undefined;
  private readonly sender: Sender;
  private readonly settle: Settle;
  private forget: (() => void) | undefined;
  private callEnded = false;

  constructor(
    sender: Sender,
    request: RestRequest,
    headers: readonly string[],
    settle: Settle,
    limits: ResponseLimits,
    expires: number,
  ) {
    this.sender = sender;
    this.request = request;
    this.headers = headers;
    this.settle = settle;
    this.exchange = new Exchange(limits, expires, this);
  }

  /** Ties the delivery to the call that waits for it. */
  watch(call: CallContext): void {
    this.forget = call.onEnd((why) => this.onCallEnd(why));
  }

  onResponse(response: RestResponse): void {
    this.sender.ended(this);
    this.forget?.();
    if (this.callEnded) this.settle.onLateEnd?.(response);
    else this.settle.resolve(response);
  }

  onFailure(failure: SendFailure): void {
    this.sender.ended(this);
    this.forget?.();
    if (!this.callEnded) this.settle.reject(failure);
    else if (failure.sent) this.settle.onLateEnd?.(failure);
  }

  onRelease(): void {
    if (this.dispatcher) this.sender.release(this.dispatcher);
  }

  private onCallEnd(why: ConnectError): void {
    this.callEnded = true;
    this.settle.reject(why);
    if (this.settle.onLateEnd && this.exchange.sent) return;
    this.exchange.abandon(new SendFailure("closed", this.exchange.sent));
  }
}
