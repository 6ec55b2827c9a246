import type { Clock } from "../lib/clock.ts";
import type { Resolvers } from "../lib/resolvers.ts";
import type { RestRequest } from "../lib/rest.ts";
import type { UpstreamCredentials } from "./credentials.ts";
import { Execution, type ReadAnswer } from "./execution.ts";
import type { UpstreamCall } from "./operations-api.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { Sender } from "./send.ts";

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

/**
 * Sends requests with their credentials, within the call's deadline: the token, the waits between attempts and the
 * answer all end with the call.
 */
export class RestClient {
  readonly #parts: RestClientParts;

  constructor(parts: RestClientParts) {
    this.#parts = parts;
  }

  /**
   * Sends a request, and again as retry.ts and the budget allow. What may have been carried out is sent again only if
   * it is a read.
   *
   * @param finishes lets a request that was sent finish when its call ends; its answer is then reported to the call
   * @param told what `read` makes of the answer, which is a 2xx, or a ConnectError; maybe before this returns
   */
  execute<T>(
    request: RestRequest,
    call: UpstreamCall,
    read: ReadAnswer<T>,
    finishes: boolean,
    told: Resolvers<T>,
  ): void {
    const { budget, clock } = this.#parts;
    // Each call is traffic that the retry budget is a share of.
    budget.countRequest(clock.monotonic());
    new Execution(this.#parts, request, call, read, finishes, told).start();
  }
}
