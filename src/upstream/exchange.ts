import type { Dispatcher } from "undici";
import type { RestResponse } from "../lib/rest.ts";
import { inflate } from "./inflate.ts";
import { classifySendError, SendFailure } from "./send-failure.ts";

/** The most bytes that an answer may bring. */
export interface ResponseLimits {
  /** Of a success, after inflating. */
  readonly body: number;
  /** Of an error: what is beyond is not read. */
  readonly errorBody: number;
}

/** Told how an {@link Exchange} went on. */
export interface ExchangeListener {
  /** The answer is complete. Exactly one of this and {@link onFailure} is called, once. */
  onResponse(response: RestResponse): void;
  onFailure(failure: SendFailure): void;
  /** The connection that carried the exchange is free for another; called once, if it ever had one. */
  onRelease(): void;
}

const EMPTY = new Uint8Array(0);

/**
 * One request and its answer, as undici's dispatch reports them: a state machine that collects head and body within
 * the limits and settles once. Nothing is awaited and no signal is made here, because every call passes through.
 *
 * An error answer is worth its status even when its body is cut off, reset or too long, so it settles with what came.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Whether the request has been handed to a connection; from then on it may have reached the upstream. */
  sent = false;
  settled = false;
  /** When the time of this exchange is over, on the monotonic clock. */
  readonly expires: number;
  private readonly limits: ResponseLimits;
  private readonly listener: ExchangeListener;
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: Readonly<Record<string, string>> = {};
  private first: Uint8Array = EMPTY;
  private rest: Uint8Array[] | undefined;
  private size = 0;
  private limit: number;
  private released = false;

  constructor(limits: ResponseLimits, expires: number, listener: ExchangeListener) {
    this.limits = limits;
    this.limit = limits.body;
    this.expires = expires;
    this.listener = listener;
  }

  /** The time of this exchange is over. */
  expire(): void {
    this.abandon(new SendFailure(this.status === 0 ? "headers-timeout" : "body-timeout", this.sent));
  }

  /** Gives up: a request that still waits for a connection is never written, one under way loses its connection. */
  abandon(why: SendFailure): void {
    this.fail(why);
    this.controller?.abort(why);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // Given up while the connection was made: undici writes nothing then, and reports the abort as an error.
    if (this.settled) controller.abort(new SendFailure("closed", false));
    else this.sent = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx heads come before the answer's own.
    if (status < 200) return;
    this.status = status;
    this.headers = flatten(headers);
    if (!isSuccess(status)) this.limit = this.limits.errorBody;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.settled) return;
    if (this.size === 0) this.first = chunk;
    else if (this.rest) this.rest.push(chunk);
    else this.rest = [this.first, chunk];
    this.size += chunk.length;
    if (this.size <= this.limit) return;
    const tooLarge = new SendFailure("too-large", true);
    if (isSuccess(this.status)) this.fail(tooLarge);
    else this.finish();
    controller.abort(tooLarge);
  }

  onResponseEnd(): void {
    this.finish();
    this.release();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.settled) {
      if (this.status !== 0 && !isSuccess(this.status)) this.finish();
      else this.fail(classifySendError(error, this.sent, this.status !== 0));
    }
    this.release();
  }

  private release(): void {
    // A proxy's 407 is reported as an error and then, in spite of that, to its end.
    if (this.released) return;
    this.released = true;
    this.listener.onRelease();
  }

  private finish(): void {
    if (this.settled) return;
    this.settled = true;
    const cut = !isSuccess(this.status);
    const encoding = this.headers["content-encoding"];
    if (encoding === undefined) {
      this.respond(cut ? this.collect().subarray(0, this.limit) : this.collect());
      return;
    }
    try {
      const body = inflate(this.collect(), encoding, this.limit, cut);
      if (body instanceof Promise)
        body.then(
          (inflated) => this.respond(inflated),
          (error) => this.listener.onFailure(error),
        );
      else this.respond(body);
    } catch (error) {
      this.listener.onFailure(
        error instanceof SendFailure ? error : new SendFailure("malformed", true, error),
      );
    }
  }

  private respond(body: Uint8Array): void {
    this.listener.onResponse({ status: this.status, headers: this.headers, body });
  }

  private fail(failure: SendFailure): void {
    if (this.settled) return;
    this.settled = true;
    this.listener.onFailure(failure);
  }

  private collect(): Uint8Array {
    return this.rest ? Buffer.concat(this.rest, this.size) : this.first;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** undici gives a list where a name came on several lines. */
function flatten(headers: Record<string, string | string[] | undefined>): Readonly<Record<string, string>> {
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) headers[name] = value.join(", ");
  }
  // No list is left, and undici sets no undefined.
  return headers as Record<string, string>;
}
