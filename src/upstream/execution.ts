import type { ConnectError } from "@connectrpc/connect";
import { errorFromResponse, upstreamRequestId } from "../errors/from-upstream.ts";
import { retryDelayMs } from "../errors/retry-delay.ts";
import type { CallContext } from "../lib/call-context.ts";
import type { EndListener } from "../lib/end-listeners.ts";
import type { Resolvers } from "../lib/resolvers.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import type { BackgroundRequest } from "./background.ts";
import { type FailedRequest, failed, failedWithout } from "./failed-request.ts";
import { headersFor, type OutboundHeaders, withTrace } from "./headers.ts";
import type { UpstreamCall } from "./operations-api.ts";
import type { RestClientParts } from "./rest-client.ts";
import { retryDelay } from "./retry.ts";
import type { SendListener } from "./send.ts";
import { SendFailure } from "./send-failure.ts";

/** Makes the result of a 2xx answer; what it throws becomes the failure. `attempts`: requests sent so far. */
export type ReadAnswer<T> = (response: RestResponse, attempts: number) => T;

/**
 * One request of a call from its credentials to its result, with all its attempts: a state machine that is told by the
 * sender how each went on. The usual request, which is answered at once, awaits nothing and makes no promise but the
 * one that its caller waits for; what is unusual may.
 */
export class Execution<T> implements SendListener {
  readonly finishes: boolean;
  readonly background: BackgroundRequest | undefined;
  readonly #parts: RestClientParts;
  readonly #request: RestRequest;
  readonly #call: UpstreamCall;
  readonly #read: ReadAnswer<T>;
  readonly #told: Resolvers<T>;
  #headers: OutboundHeaders | undefined;
  /** A new token was asked for in place of a refused one; once in each try. */
  #replaced = false;
  #tries = 1;
  /** Requests sent so far; a token that is replaced makes two of one try. */
  #attempts = 0;
  #sentAt = 0;
  #last: RestResponse | undefined;

  /**
   * @param finishes a request that was sent finishes when its call ends, and its answer is reported to the call
   * @param told once, what `read` made of the answer, or why there is none: a ConnectError, or what `read` threw
   */
  constructor(
    parts: RestClientParts,
    request: RestRequest,
    call: UpstreamCall,
    read: ReadAnswer<T>,
    finishes: boolean,
    told: Resolvers<T>,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#call = call;
    this.background = call.background;
    this.#read = read;
    this.#told = told;
    this.finishes = finishes;
  }

  /** Begins a try. */
  start(): void {
    this.#replaced = false;
    if (this.background) this.background.waits = true;
    try {
      const headers = this.#parts.credentials.headers(this.#call);
      if (headers instanceof Promise)
        untilEnd(headers, this.#call).then(
          (found) => this.#send(found),
          (error) => this.#failWithout(error),
        );
      else this.#send(headers);
    } catch (error) {
      this.#failWithout(error);
    }
  }

  onResponse(response: RestResponse): void {
    const { status } = response;
    this.#last = response;
    this.#tellAttempt(status);
    if (status >= 200 && status < 300) this.#succeed(response);
    else if (status === 401 && !this.#replaced) this.#replaceToken(response);
    else this.#refused(response);
  }

  onFailure(why: SendFailure | ConnectError): void {
    this.#tellAttempt(why instanceof SendFailure ? why.kind : "call-ended");
    this.#failWithout(why);
  }

  onLateEnd(end: RestResponse | SendFailure): void {
    if (end instanceof SendFailure) return;
    this.#last = end;
    this.#report();
  }

  #send(headers: OutboundHeaders): void {
    const { sender, clock } = this.#parts;
    this.#headers = headers;
    this.#attempts++;
    this.#sentAt = clock.monotonic();
    const { trace } = this.#call;
    const list = headersFor(this.#request, headers);
    sender.send(this.#request, trace === undefined ? list : withTrace(list, trace), this.#call, this);
  }

  #tellAttempt(outcome: number | string): void {
    const { onAttempt, clock } = this.#parts;
    onAttempt?.(this.#request.verb, outcome, clock.monotonic() - this.#sentAt);
  }

  #succeed(response: RestResponse): void {
    this.#report();
    let result: T;
    try {
      result = this.#read(response, this.#attempts);
    } catch (error) {
      this.#told.reject(error);
      return;
    }
    // Outside: a bug of who is told is no answer of the upstream, and must come to light.
    this.#told.resolve(result);
  }

  /** The credentials were refused: others may be worth one more request. */
  #replaceToken(response: RestResponse): void {
    this.#replaced = true;
    const others = this.#headers && this.#parts.credentials.replace(this.#headers);
    if (others === undefined) this.#refused(response);
    else
      untilEnd(others, this.#call).then(
        (found) => (found ? this.#send(found) : this.#refused(response)),
        (error) => this.#failWithout(error),
      );
  }

  /** A 4xx says that nothing was done; a 5xx may come from a hop that did not hear the end of it. */
  #refused(response: RestResponse): void {
    const { credentials, clock } = this.#parts;
    const attempts = this.#attempts;
    const error = errorFromResponse(response, { credentials: credentials.mode, attempts, now: clock.now() });
    this.#retryOrFail(failed(error, response.status >= 500, true, attempts));
  }

  #failWithout(cause: unknown): void {
    const { tokenRetryAfterMs = () => 0 } = this.#parts;
    try {
      this.#retryOrFail(failedWithout(cause, { attempts: this.#attempts, tokenRetryAfterMs }));
    } catch (bug) {
      this.#told.reject(bug);
    }
  }

  /** What may have been carried out is sent again only if it is a read. */
  #retryOrFail(failure: FailedRequest): void {
    const repeatable = this.#request.verb === "GET" || !failure.sent;
    const delay = repeatable ? this.#retryDelay(failure) : undefined;
    if (delay === undefined) this.#fail(failure.error);
    else
      this.#pause(delay, () => {
        this.#tries++;
        this.start();
      });
  }

  /**
   * How long to wait before the next try; `undefined` when there is to be none: the failure is not one to retry, the
   * deadline or the budget does not allow it, or the call wants no retries.
   */
  #retryDelay({ error, retryable }: FailedRequest): number | undefined {
    const call = this.#call;
    const tries = this.#tries;
    if (call.retry === false) return undefined;
    const { clock, budget, random } = this.#parts;
    const now = clock.monotonic();
    const delay = retryDelay({
      code: error.code,
      attempts: tries,
      retryable,
      retryAfterMs: retryDelayMs(error),
      now,
      deadline: call.deadline,
      random: random(),
    });
    return delay !== undefined && budget.tryRetry(now) ? delay : undefined;
  }

  /** Waits, no longer than the call. */
  #pause(ms: number, then: () => void): void {
    const call = this.#call;
    const end: EndListener = {
      callEnded: (why) => {
        timer.cancel();
        this.#fail(why);
      },
    };
    const timer = this.#parts.clock.setTimer(ms, () => {
      call.offEnd(end);
      then();
    });
    call.onEnd(end);
  }

  #fail(error: ConnectError): void {
    this.#report();
    this.#told.reject(error);
  }

  /** Tells the call of the last answer, if there was any. */
  #report(): void {
    const last = this.#last;
    const attempts = this.#attempts;
    if (last === undefined) return;
    const date = last.headers["date"];
    this.#call.onUpstreamAnswer?.({
      httpStatus: last.status,
      requestId: upstreamRequestId(last),
      attempts,
      date,
    });
  }
}

/** Waits for what is not tied to the call, and no longer than the call. */
function untilEnd<T>(promise: Promise<T>, call: CallContext): Promise<T> {
  return new Promise((resolve, reject) => {
    const end: EndListener = { callEnded: reject };
    call.onEnd(end);
    promise.then(resolve, reject).finally(() => call.offEnd(end));
  });
}
