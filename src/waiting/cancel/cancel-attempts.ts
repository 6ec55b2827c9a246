import type { ConnectError } from "@connectrpc/connect";
import type { Config } from "../../config/config.ts";
import { errorOf } from "../../errors/thrown.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { EqualTimers, type TimeUp } from "../../lib/equal-timers.ts";
import type { Resolvers } from "../../lib/resolvers.ts";
import { SmallSet } from "../../lib/small-set.ts";
import type { TraceContext } from "../../lib/trace-context.ts";
import type { OperationsApi, UpstreamAnswerInfo } from "../../upstream/operations-api.ts";
import type { Observation } from "../facts/observation.ts";
import { meaningOf, retryAfter } from "../facts/read-failure.ts";
import { EngineCall, type EngineCallOptions } from "../share/engine-call.ts";
import { READ_TIMEOUT_MS, type ReadCollapse, type Reader } from "../share/read-collapse.ts";
import type { ReadTarget } from "../share/read-target.ts";
import {
  type CancelPolicy,
  CancelResolution,
  type CancelResult,
  type CancelStep,
} from "./cancel-resolution.ts";

/** A POST that has not been answered for so long counts as lost. */
const POST_TIMEOUT_MS = 20_000;

/** Cancels that come within this time after a POST was taken join it, if somebody still waits for its outcome. */
const JOIN_WINDOW_MS = 30_000;

/** What the attempts work with. */
export interface CancelTools {
  readonly api: OperationsApi;
  readonly clock: Clock;
  readonly reads: ReadCollapse;
  readonly credentials: Config["upstream"]["credentials"];
  /** The upstream has taken a cancel of this operation. */
  readonly requested: (target: ReadTarget) => void;
}

/** What each attempt is handed beside. */
interface AttemptTools extends CancelTools {
  /** Run for {@link POST_TIMEOUT_MS}. */
  readonly postTimers: EqualTimers;
  /** Run for {@link JOIN_WINDOW_MS}. */
  readonly joinTimers: EqualTimers;
  /** Nobody may join the attempt any more. */
  readonly over: (key: string, attempt: CancelAttempt) => void;
}

/** One who has asked for a cancel. */
export interface Canceller {
  readonly authorization: string | undefined;
  readonly requestId: string;
  /** Goes upstream with what is sent for him alone. */
  readonly trace?: TraceContext | undefined;
  /** Waits for the outcome, however long it takes. */
  readonly persistent: boolean;
  /** What the upstream answered to the last POST. */
  answered(info: UpstreamAnswerInfo): void;
  /** Called once, unless he has left. */
  resolved(result: CancelResult, attempt: CancelAttempt): void;
}

/**
 * What the map of attempts holds: emptied when an attempt is over, because V8 keeps alive for long what a map has held
 * (see linked-list.ts), and an attempt is large.
 */
interface Place {
  attempt: CancelAttempt | undefined;
}

/** The cancels under way, by share key: those of one operation by one identity are one. */
export class CancelAttempts {
  /** In places of their own, see {@link Place}. */
  readonly #attempts = new Map<string, Place>();
  readonly #tools: AttemptTools;

  constructor(tools: CancelTools) {
    this.#tools = {
      ...tools,
      postTimers: new EqualTimers(tools.clock, POST_TIMEOUT_MS),
      joinTimers: new EqualTimers(tools.clock, JOIN_WINDOW_MS),
      over: (key, attempt) => {
        const place = this.#attempts.get(key);
        if (place?.attempt !== attempt) return;
        place.attempt = undefined;
        this.#attempts.delete(key);
      },
    };
  }

  get size(): number {
    return this.#attempts.size;
  }

  /** Cancels, or joins the cancel that is under way. */
  join(target: ReadTarget, canceller: Canceller): CancelAttempt {
    const known = this.#attempts.get(target.key)?.attempt;
    if (known) {
      known.join(canceller);
      return known;
    }
    const attempt = new CancelAttempt(target, this.#tools, canceller);
    this.#attempts.set(target.key, { attempt });
    attempt.post();
    return attempt;
  }
}

/** One cancel and all who have asked for it: does what its {@link CancelResolution} says. */
export class CancelAttempt implements Reader, CancelPolicy, TimeUp {
  readonly retry = false;
  readonly resolution: CancelResolution;
  /** When the upstream was known to have taken the cancel, on the monotonic clock. */
  requestedAt = 0;
  readonly requestId: string;
  readonly authorization: string | undefined;
  readonly credentials: Config["upstream"]["credentials"];
  readonly #target: ReadTarget;
  readonly #tools: AttemptTools;
  readonly #cancellers = new SmallSet<Canceller>();
  #result: CancelResult | undefined;
  #timer: Timer | undefined;
  #leaveRead: (() => void) | undefined;
  /** The POST under way. */
  #posting: Post | undefined;

  constructor(target: ReadTarget, tools: AttemptTools, first: Canceller) {
    this.#target = target;
    this.#tools = tools;
    this.#cancellers.add(first);
    this.authorization = first.authorization;
    this.requestId = first.requestId;
    this.credentials = tools.credentials;
    this.resolution = new CancelResolution(this);
  }

  get deadline(): number {
    return this.#tools.clock.monotonic() + READ_TIMEOUT_MS;
  }

  /** Of the one who asks, as long as nobody has joined him. */
  get trace(): TraceContext | undefined {
    return this.#cancellers.size === 1 ? this.#cancellers.first?.trace : undefined;
  }

  join(canceller: Canceller): void {
    this.#cancellers.add(canceller);
    if (this.#result) canceller.resolved(this.#result, this);
  }

  /** Lets one go. A POST that is under way is finished for nobody; a second one is not sent. */
  leave(canceller: Canceller): void {
    if (!this.#cancellers.delete(canceller)) return;
    if (this.#cancellers.size === 0 && !this.#posting) this.#close();
  }

  persistent(): boolean {
    return this.#cancellers.some((canceller) => canceller.persistent);
  }

  found(seen: Observation, answer: UpstreamAnswerInfo | undefined): void {
    this.#leaveRead = undefined;
    this.resolution.answeredAt(answer?.date, this.#tools.clock.monotonic());
    this.#step(this.resolution.read(seen));
  }

  failed(error: ConnectError): void {
    this.#leaveRead = undefined;
    this.#step(this.resolution.readFailed(error));
  }

  /** Sends the POST, the first or a further one. */
  post(): void {
    const { api, clock, postTimers } = this.#tools;
    const now = clock.monotonic();
    const post = new Post(this, {
      clock,
      authorization: this.authorization,
      requestId: this.requestId,
      trace: this.trace,
      deadline: now + POST_TIMEOUT_MS,
      retry: false,
      timed: postTimers,
    });
    this.#posting = post;
    this.resolution.posting(clock.now(), now);
    api.cancel(this.#target.name, post, post);
  }

  /** For its POSTs: one has been answered, or not. */
  posted(call: Post, error: ConnectError | undefined): void {
    // Of its end and its answer the first counts.
    if (this.#posting !== call) return;
    this.#posting = undefined;
    call.settled();
    const { answer } = call;
    if (error) {
      if (meaningOf(error, this.credentials) === "limited")
        this.#target.scope.refusedElsewhere(retryAfter(error));
      this.resolution.answeredAt(answer?.date, this.#tools.clock.monotonic());
    }
    if (answer)
      this.#cancellers.forEach((canceller) => {
        canceller.answered(answer);
      });
    this.#step(this.resolution.posted(error, answer !== undefined));
  }

  #step(step: CancelStep): void {
    if (step.do === "nothing") this.#resolve(step.result);
    else if (this.#cancellers.size === 0) this.#close();
    else if (step.afterMs <= 0) this.#act(step.do);
    else this.#timer = this.#tools.clock.setTimer(step.afterMs, () => this.#act(step.do));
  }

  #act(what: "post" | "read"): void {
    if (what === "post") this.post();
    else this.#leaveRead = this.#tools.reads.read(this.#target, this);
  }

  #resolve(result: CancelResult): void {
    const { clock, joinTimers, requested } = this.#tools;
    this.#result = result;
    if (result.kind === "requested") {
      this.requestedAt = clock.monotonic();
      requested(this.#target);
    }
    // Who comes later may join while somebody waits for the outcome.
    if (result.kind === "requested" && this.persistent()) this.#timer = joinTimers.set(this);
    else this.#close();
    this.#cancellers.forEach((canceller) => {
      canceller.resolved(result, this);
    });
  }

  /** Nobody may join any more. */
  timeUp(): void {
    this.#close();
  }

  #close(): void {
    this.#timer?.cancel();
    this.#leaveRead?.();
    this.#leaveRead = undefined;
    this.#tools.over(this.#target.key, this);
  }
}

/** One POST of an attempt, and whom its end is told. */
class Post extends EngineCall implements Resolvers<void> {
  readonly #attempt: CancelAttempt;

  constructor(attempt: CancelAttempt, options: EngineCallOptions) {
    super(options);
    this.#attempt = attempt;
  }

  resolve(): void {
    this.#attempt.posted(this, undefined);
  }

  reject(cause: unknown): void {
    this.#attempt.posted(this, errorOf(cause));
  }

  protected override hasEnded(why: ConnectError): void {
    this.#attempt.posted(this, why);
  }
}
