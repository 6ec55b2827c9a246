import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { errorFromFailure, UpstreamFailure } from "../errors/from-failure.ts";
import { errorFromResponse, upstreamRequestId } from "../errors/from-upstream.ts";
import { gatewayError } from "../errors/reasons.ts";
import { suggestDelay } from "../errors/suggested-delay.ts";
import type { CallContext } from "../lib/call-context.ts";
import type { Clock } from "../lib/clock.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import type { UpstreamCredentials } from "./credentials.ts";
import { headersFor, type OutboundHeaders } from "./headers.ts";
import type { UpstreamCall } from "./operations-api.ts";
import { FIRST_RETRY_MS, retryDelay } from "./retry.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { Sender, SendOptions } from "./send.ts";
import { SendFailure } from "./send-failure.ts";
import { TokenFailure } from "./token-source.ts";

/** What the {@link RestClient} works with. */
export interface RestClientParts {
  readonly sender: Sender;
  readonly credentials: UpstreamCredentials;
  readonly budget: RetryBudget;
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** Milliseconds until a failing token service is asked again. */
  readonly tokenRetryAfterMs?: () => number;
  /** Told of each attempt: its HTTP status or, without one, the kind of its failure; how long it took. */
  readonly onAttempt?: ((verb: string, outcome: number | string, ms: number) => void) | undefined;
}

/** A request that did not succeed. */
export interface FailedRequest {
  readonly error: ConnectError;
  /** Whether the upstream may have carried the request out all the same. */
  readonly sent: boolean;
  /** Whether the same request may succeed later, as far as the code does not say. */
  readonly retryable: boolean;
}

/** A call's further requests after its first: how many there were, and the facts of the last answer. */
export class Attempts {
  count = 0;
  private status = 0;
  private requestId: string | undefined;
  private date: string | undefined;
  private readonly call: UpstreamCall;

  constructor(call: UpstreamCall) {
    this.call = call;
  }

  answered(response: RestResponse): void {
    this.status = response.status;
    this.requestId = upstreamRequestId(response);
    this.date = response.headers["date"];
  }

  /** Tells the call of the last answer, if there was any. */
  report(): void {
    if (this.status === 0) return;
    const { status, requestId, count, date } = this;
    this.call.onUpstreamAnswer?.({ httpStatus: status, requestId, attempts: count, date });
  }
}

/**
 * Sends requests with their credentials, within the call's deadline: the token, the waits between attempts and the
 * answer all end with the call.
 */
export class RestClient {
  private readonly parts: RestClientParts;

  constructor(parts: RestClientParts) {
    this.parts = parts;
  }

  /**
   * Sends a request, and again as {@link retryDelay} and the budget allow. What may have been carried out is sent again
   * only if it is a read.
   *
   * @returns the answer, which is a 2xx; rejects with a ConnectError
   */
  async execute(request: RestRequest, call: UpstreamCall, options?: SendOptions): Promise<RestResponse> {
    const attempts = new Attempts(call);
    this.countRequest();
    try {
      for (let tries = 1; ; tries++) {
        const result = await this.attempt(request, call, attempts, options);
        if (!("error" in result)) return result;
        const repeatable = request.verb === "GET" || !result.sent;
        if (!repeatable || !(await this.mayRetry(result, call, tries))) throw result.error;
      }
    } finally {
      attempts.report();
    }
  }

  /** Counts a call into the traffic that the retry budget is a share of. */
  countRequest(): void {
    this.parts.budget.countRequest(this.parts.clock.monotonic());
  }

  /** Sends a request once (and once more with a new token, when the gateway's own is refused). Never rejects but for a bug. */
  async attempt(
    request: RestRequest,
    call: UpstreamCall,
    attempts: Attempts,
    options?: SendOptions,
  ): Promise<RestResponse | FailedRequest> {
    try {
      const { credentials } = this.parts;
      const found = credentials.headers(call);
      const headers = found instanceof Promise ? await untilEnd(found, call) : found;
      let response = await this.send(request, headers, call, attempts, options);
      if (response.status >= 200 && response.status < 300) return response;
      if (response.status === 401) {
        const others = await untilEnd(credentials.replace(headers), call);
        if (others) response = await this.send(request, others, call, attempts, options);
        if (response.status >= 200 && response.status < 300) return response;
      }
      const error = errorFromResponse(response, {
        credentials: this.parts.credentials.mode,
        attempts: attempts.count,
        now: this.parts.clock.now(),
      });
      // A 4xx says that nothing was done; a 5xx may come from a hop that did not hear the end of it.
      return failed(error, response.status >= 500, true, attempts);
    } catch (error) {
      return this.failure(error, attempts);
    }
  }

  /**
   * Waits before a retry. `false` at once when there is to be none: the failure is not one to retry, the deadline or
   * the budget does not allow it, or the call wants no retries. Rejects with the end of the call.
   *
   * @param attempts how often the request has been tried, 1 or more
   * @param cost requests that the retry will make
   */
  async mayRetry(result: FailedRequest, call: UpstreamCall, attempts: number, cost = 1): Promise<boolean> {
    if (call.retry === false) return false;
    const { clock, budget, random } = this.parts;
    const now = clock.monotonic();
    const delay = retryDelay({
      code: result.error.code,
      attempts,
      retryable: result.retryable,
      retryAfterMs: retryInfoMs(result.error),
      now,
      deadline: call.deadline,
      random: random(),
    });
    if (delay === undefined || !budget.tryRetry(now, cost)) return false;
    await this.pause(delay, call);
    return true;
  }

  /** Sends a request, and tells of it. Every call passes through here, so it makes one promise and no more. */
  private async send(
    request: RestRequest,
    headers: OutboundHeaders,
    call: UpstreamCall,
    attempts: Attempts,
    options: SendOptions | undefined,
  ): Promise<RestResponse> {
    const { sender, onAttempt, clock } = this.parts;
    const sentAt = clock.monotonic();
    attempts.count++;
    try {
      const response = await sender.send(request, headersFor(request, headers), call, options);
      attempts.answered(response);
      onAttempt?.(request.verb, response.status, clock.monotonic() - sentAt);
      return response;
    } catch (error) {
      const kind = error instanceof SendFailure ? error.kind : "call-ended";
      onAttempt?.(request.verb, kind, clock.monotonic() - sentAt);
      throw error;
    }
  }

  private failure(error: unknown, attempts: Attempts): FailedRequest {
    // The call's own end, or its credentials.
    if (error instanceof ConnectError) return failed(error, false, false, attempts);
    if (error instanceof TokenFailure) return failed(this.tokenError(error), false, false, attempts);
    if (!(error instanceof SendFailure)) throw error;
    const { sent, kind } = error;
    if (kind === "busy") return failed(busyError(error), sent, false, attempts);
    if (kind === "closed") return failed(closedError(error), sent, false, attempts);
    const failure = new UpstreamFailure(kind, kind === "malformed" ? MALFORMED : undefined, { cause: error });
    return failed(errorFromFailure(failure, { attempts: attempts.count }), sent, kind !== "tls", attempts);
  }

  private tokenError(error: TokenFailure): ConnectError {
    if (error.kind === "rejected")
      return errorFromFailure(new UpstreamFailure("credentials-misconfigured", undefined, { cause: error }));
    return gatewayError(
      "CREDENTIALS_UNAVAILABLE",
      "the gateway could not get a token for the upstream just now; try again",
      {
        layer: "credentials",
        cause: error,
        retryDelayMs: Math.max(this.parts.tokenRetryAfterMs?.() ?? 0, FIRST_RETRY_MS),
      },
    );
  }

  private pause(ms: number, call: CallContext): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.parts.clock.setTimer(ms, () => {
        forget();
        resolve();
      });
      const forget = call.onEnd((why) => {
        timer.cancel();
        reject(why);
      });
    });
  }
}

/** What the sender calls malformed, for the caller. */
const MALFORMED = "it breaks off, or its head or encoding is not what HTTP allows here";

/** Waits for what is not tied to the call, and no longer than the call. */
function untilEnd<T>(promise: Promise<T>, call: CallContext): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = call.onEnd(reject);
    promise.then(resolve, reject).finally(forget);
  });
}

function failed(error: ConnectError, sent: boolean, retryable: boolean, attempts: Attempts): FailedRequest {
  // Whoever calls again is told to wait as long as we would have.
  if (error.code === Code.Unavailable && retryable && retryInfoMs(error) === undefined) {
    const delay = FIRST_RETRY_MS * 2 ** Math.max(attempts.count - 1, 0);
    suggestDelay(error, delay);
  }
  return { error, sent, retryable };
}

function busyError(cause: SendFailure): ConnectError {
  const message = "too many calls wait for a connection to the upstream; try again";
  return gatewayError("GATEWAY_OVERLOADED", message, { cause, retryDelayMs: FIRST_RETRY_MS });
}

function closedError(cause: SendFailure): ConnectError {
  return gatewayError("GATEWAY_DRAINING", "the gateway is shutting down", { cause });
}

/** The wait that an error asks for, milliseconds. */
function retryInfoMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && Number(delay.seconds) * 1000 + delay.nanos / 1_000_000;
}
