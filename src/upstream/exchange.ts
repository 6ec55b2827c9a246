import type { RestResponse } from "../lib/rest.ts";
import { inflate } from "./inflate.ts";
import { classifySendError, SendFailure } from "./send-failure.ts";

/** What an answer may bring, and how long it may take. */
export interface ExchangeLimits {
  /** Bytes of a success, after inflating. */
  readonly body: number;
  /** Bytes of an error: what is beyond is not read. */
  readonly errorBody: number;
  /** Milliseconds in all, the wait for a connection included. */
  readonly requestMs: number;
  /** Milliseconds from the request to the complete head of its answer. */
  readonly headersMs: number;
  /** Milliseconds of silence within a body. */
  readonly silenceMs: number;
}

/** What an exchange may ask of the connection that carries it. */
export interface Controller {
  /** Gives the request up; the exchange is told of the end as of any failure. */
  abort(why: Error): void;
}

const EMPTY = new Uint8Array(0);
const NO_HEADERS: Readonly<Record<string, string>> = {};

/**
 * One request and its answer, as whoever carries them reports them: a state machine that collects head and body within
 * the limits and settles once. Nothing is awaited and no signal is made here, because every call passes through.
 *
 * An error answer is worth its status even when its body is cut off, reset or too long, so it settles with what came.
 */
export abstract class Exchange {
  /** Whether the request has been handed to a connection; from then on it may have reached the upstream. */
  sent = false;
  settled = false;
  readonly #limits: ExchangeLimits;
  #controller: Controller | undefined;
  #status = 0;
  #answerHeaders = NO_HEADERS;
  #first: Uint8Array = EMPTY;
  #rest: Uint8Array[] | undefined;
  #size = 0;
  #limit: number;
  #released = false;
  /** For so many milliseconds at least it has been silent. */
  #silent = 0;
  #lasted = 0;

  constructor(limits: ExchangeLimits) {
    this.#limits = limits;
    this.#limit = limits.body;
  }

  /** For so many milliseconds at least it has been under way or waited for a connection, see {@link age}. */
  get lastedMs(): number {
    return this.#lasted;
  }

  /** The answer is complete. Exactly one of this and {@link onFailure} is called, once. */
  protected abstract onResponse(response: RestResponse): void;
  protected abstract onFailure(failure: SendFailure): void;
  /** The connection that carried the exchange is free for another; called once, if it ever had one. */
  protected abstract onRelease(): void;

  /**
   * To be called every `ms`; gives up what has lasted, or been silent, for too long. Never early, and late by no more
   * than `ms`. So a request sets no timer and reads no clock.
   */
  age(ms: number): void {
    const { requestMs, headersMs, silenceMs } = this.#limits;
    const silent = this.#silent >= (this.#status === 0 ? headersMs : silenceMs);
    if (this.#lasted < requestMs && !silent) {
      this.#lasted += ms;
      if (this.sent) this.#silent += ms;
      return;
    }
    if (silent && this.#failedAnswer) this.#finish();
    this.abandon(new SendFailure(this.#status === 0 ? "headers-timeout" : "body-timeout", this.sent));
  }

  /** Gives up: a request that still waits for a connection is never written, one under way loses its connection. */
  abandon(why: SendFailure): void {
    this.#fail(why);
    this.#controller?.abort(why);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    // Given up while the connection was made: nothing is written then, and the abort is reported as an error.
    if (this.settled) controller.abort(new SendFailure("closed", false));
    else this.sent = true;
  }

  /**
   * The head of the answer has come, an informational one (1xx) left out.
   *
   * @param headers by lower-case name; several lines of one name are joined by `, `
   */
  onResponseStart(status: number, headers: Readonly<Record<string, string>>): void {
    this.#status = status;
    this.#silent = 0;
    this.#answerHeaders = headers;
    if (!isSuccess(status)) this.#limit = this.#limits.errorBody;
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.settled) return;
    this.#silent = 0;
    if (this.#size === 0) this.#first = chunk;
    else if (this.#rest) this.#rest.push(chunk);
    else this.#rest = [this.#first, chunk];
    this.#size += chunk.length;
    if (this.#size <= this.#limit) return;
    const tooLarge = new SendFailure("too-large", true);
    if (isSuccess(this.#status)) this.#fail(tooLarge);
    else this.#finish();
    controller.abort(tooLarge);
  }

  onResponseEnd(): void {
    this.#finish();
    this.#release();
  }

  onResponseError(error: Error): void {
    if (!this.settled) {
      if (this.#failedAnswer) this.#finish();
      else this.#fail(classifySendError(error, this.sent, this.#status !== 0));
    }
    // Not at once: who carried it is in the midst of failing what it has. A request that undici were given now would
    // trip its assertion that nothing is left, outside of anybody's reach.
    queueMicrotask(() => this.#release());
  }

  /** The head of an error has come. */
  get #failedAnswer(): boolean {
    return this.#status !== 0 && !isSuccess(this.#status);
  }

  #release(): void {
    // A proxy's 407 is reported as an error and then, in spite of that, to its end.
    if (this.#released) return;
    this.#released = true;
    this.onRelease();
  }

  #finish(): void {
    if (this.settled) return;
    this.settled = true;
    const cut = !isSuccess(this.#status);
    const encoding = this.#answerHeaders["content-encoding"];
    if (encoding === undefined) {
      this.#respond(cut ? this.#collect().subarray(0, this.#limit) : this.#collect());
      return;
    }
    try {
      const body = inflate(this.#collect(), encoding, this.#limit, cut);
      if (body instanceof Promise)
        body.then(
          (inflated) => this.#respond(inflated),
          (error) => this.onFailure(error),
        );
      else this.#respond(body);
    } catch (error) {
      this.onFailure(error instanceof SendFailure ? error : new SendFailure("malformed", true, error));
    }
  }

  #respond(body: Uint8Array): void {
    this.onResponse(new Answer(this.#status, this.#answerHeaders, body));
  }

  #fail(failure: SendFailure): void {
    if (this.settled) return;
    this.settled = true;
    this.onFailure(failure);
  }

  #collect(): Uint8Array {
    const rest = this.#rest;
    if (!rest) return this.#first;
    const whole = Buffer.concat(rest, this.#size);
    // V8 may keep the list for long (see linked-list.ts), and a piece may be part of a read buffer of 64 KiB.
    rest.fill(EMPTY);
    return whole;
  }
}

/** A class, because V8 may make literals in the old generation (see linked-list.ts); this one may hold a read buffer. */
class Answer implements RestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: Uint8Array) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
