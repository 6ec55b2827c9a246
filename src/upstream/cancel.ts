import { Code, type ConnectError } from "@connectrpc/connect";
import { errorFromFailure, UpstreamFailure } from "../errors/from-failure.ts";
import type { Clock } from "../lib/clock.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import { isSameOperation, type OperationFacts, operationFacts } from "./operation-facts.ts";
import type { UpstreamCall } from "./operations-api.ts";
import { Attempts, type FailedRequest, type RestClient } from "./rest-client.ts";
import { SendFailure } from "./send-failure.ts";

/** The two requests that a cancel may need. */
export interface CancelRequests {
  /** Of the operation. */
  readonly name: string;
  readonly cancel: RestRequest;
  /** Makes the read that resolves a doubt; `undefined` when the upstream offers no Get. */
  readonly read: () => RestRequest | undefined;
}

/**
 * Asks the upstream to cancel an operation; returns when it has accepted.
 *
 * A cancel whose answer was lost may have been carried out, so it is never simply sent again: a read comes first, and
 * only an operation that runs on with no cancel requested gets a second POST. A refusal after that ("already
 * completed") may be the echo of the first POST and is resolved by a read too.
 *
 * When the call ends after the POST was written, the POST is left to finish, and its answer is reported to the call.
 */
export function cancelOperation(
  client: RestClient,
  requests: CancelRequests,
  call: UpstreamCall,
  clock: Clock,
): Promise<void> {
  return new Cancellation(client, requests, call, clock).run();
}

/** One cancel on its way through attempts and reads. */
class Cancellation {
  private readonly client: RestClient;
  private readonly requests: CancelRequests;
  private readonly call: UpstreamCall;
  private readonly clock: Clock;
  private readonly attempts: Attempts;
  private readonly startedAt: number;
  /** A POST was written whose answer is unknown. */
  private inDoubt = false;

  constructor(client: RestClient, requests: CancelRequests, call: UpstreamCall, clock: Clock) {
    this.client = client;
    this.requests = requests;
    this.call = call;
    this.clock = clock;
    this.attempts = new Attempts(call);
    this.startedAt = clock.monotonic();
  }

  async run(): Promise<void> {
    this.client.countRequest();
    try {
      for (let posts = 1; ; posts++) {
        const result = await this.post();
        if (!("error" in result)) return this.checkAccepted(result);
        if (this.inDoubt && isRefusal(result.error)) return await this.resolveRefusal(result.error);
        this.inDoubt ||= result.sent;
        if (!(await this.mayPostAgain(result, posts))) throw result.error;
        if (this.inDoubt && (await this.isCarriedOut(result))) return;
      }
    } finally {
      this.attempts.report();
    }
  }

  private post(): Promise<RestResponse | FailedRequest> {
    return this.client.attempt(this.requests.cancel, this.call, this.attempts, {
      onLateEnd: (end) => {
        if (end instanceof SendFailure) return;
        this.attempts.answered(end);
        this.attempts.report();
      },
    });
  }

  private mayPostAgain(result: FailedRequest, posts: number): Promise<boolean> {
    return this.client.mayRetry(result, this.call, posts, this.inDoubt ? 2 : 1);
  }

  /**
   * Reads whether the doubtful POST did its work. An operation that was over before it is none of its doing: then a
   * second POST, which cannot do harm any more, gets the upstream's own refusal.
   */
  private async isCarriedOut(result: FailedRequest): Promise<boolean> {
    const read = await this.read();
    if (read === undefined) throw result.error;
    if ("error" in read) {
      // Whoever cannot know must not send again; whoever does know (no such operation) says so.
      throw read.error.code === Code.NotFound ? read.error : result.error;
    }
    if (read.facts.done) return !this.endedBefore(read);
    return read.facts.cancelRequested;
  }

  private async resolveRefusal(refusal: ConnectError): Promise<void> {
    const read = await this.read();
    if (read === undefined || "error" in read) throw refusal;
    if (!read.facts.done || this.endedBefore(read)) throw refusal;
  }

  /** Whether the operation was over when the first POST was made, by the upstream's clock as far as it shows. */
  private endedBefore({ facts, response }: Reading): boolean {
    // Cancelled is what was asked for, whoever came first.
    if (facts.errorCode === CANCELLED || facts.endTime === undefined) return false;
    const date = Date.parse(response.headers["date"] ?? "");
    const now = Number.isNaN(date) ? this.clock.now() : date;
    return facts.endTime + CLOCK_TOLERANCE_MS < now - (this.clock.monotonic() - this.startedAt);
  }

  private async read(): Promise<Reading | FailedRequest | undefined> {
    const request = this.requests.read();
    if (!request) return undefined;
    const response = await this.client.attempt(request, this.call, this.attempts);
    // Out of time is an answer of its own, whatever was in doubt.
    if (this.call.ended) throw this.call.ended;
    if ("error" in response) return response;
    const facts = operationFacts(response.body);
    // What is said about another operation is no news of this one.
    return isSameOperation(facts, this.requests.name) ? { facts, response } : undefined;
  }

  /** `{}`, and nothing at all, are what the API promises; anything else was not said by it. */
  private checkAccepted({ body }: RestResponse): void {
    if (body.length === 0 || isJsonObject(body)) return;
    const failure = new UpstreamFailure("malformed", "the answer to a cancel is not an empty JSON object");
    throw errorFromFailure(failure, { attempts: this.attempts.count });
  }
}

interface Reading {
  readonly facts: OperationFacts;
  readonly response: RestResponse;
}

/** The code in `Operation.error` of an operation that was cancelled; https://google.aip.dev/151. */
const CANCELLED = 1;

/** The `date` header counts whole seconds, and an operation's end is noted a moment before it shows. */
const CLOCK_TOLERANCE_MS = 2_000;

/**
 * Codes that HTTP 400 and 409 come to. Which of them says "already completed" differs between APIs, so the code alone
 * proves nothing.
 */
function isRefusal(error: ConnectError): boolean {
  return (
    error.code === Code.FailedPrecondition ||
    error.code === Code.InvalidArgument ||
    error.code === Code.Aborted ||
    error.code === Code.OutOfRange ||
    error.code === Code.AlreadyExists
  );
}

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isJsonObject(body: Uint8Array): boolean {
  // What the API sends to every cancel, without a parser.
  if (body[0] === OPEN_BRACE && body[1] === CLOSE_BRACE && body.length <= 3) return true;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
