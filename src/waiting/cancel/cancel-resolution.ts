import { Code, type ConnectError } from "@connectrpc/connect";
import { DebugInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import type { Config } from "../../config/config.ts";
import { ownReason } from "../../errors/reasons.ts";
import type { Observation } from "../facts/observation.ts";
import { meaningOf, retryAfter } from "../facts/read-failure.ts";
import { backoff } from "../schedule/schedule.ts";

/** What a cancel has come to. */
export type CancelResult =
  /** The upstream has taken the request, as its answer or the operation's own `cancelRequested` shows. */
  | { readonly kind: "requested" }
  /** The operation is done. `before`: it was so before the first POST was sent. */
  | {
      readonly kind: "done";
      readonly seen: Observation;
      readonly before: boolean;
      /** What the upstream said to the last POST, where it said no. */
      readonly refusal: ConnectError | undefined;
    }
  /** The upstream has no such operation. */
  | { readonly kind: "not-found"; readonly error: ConnectError }
  /** The upstream will not do it; the operation runs on. */
  | { readonly kind: "refused"; readonly error: ConnectError };

/** What to do next about a cancel. Delays in milliseconds. */
export type CancelStep =
  | { readonly do: "post"; readonly afterMs: number }
  | { readonly do: "read"; readonly afterMs: number }
  | { readonly do: "nothing"; readonly result: CancelResult };

/** A plain CancelOperation is POSTed again at most so often, and never against the upstream's own word. */
const PLAIN_MAX_POSTS = 3;

/** Posts of a CancelAndWait: its own timeout ends it much earlier. */
const MAX_POSTS = 100;

/** First wait before a second POST: what the upstream's SLA asks of its clients. */
const FIRST_REPOST_MS = 1_000;

/** How a cancel is resolved. */
export interface CancelPolicy {
  readonly credentials: Config["upstream"]["credentials"];
  /** Whether somebody stays until it is certain (CancelAndWait); else what the upstream said last is an answer too. */
  readonly persistent: () => boolean;
}

/**
 * What became of a cancel, as a state machine without a socket: told what POSTs and reads came to, it says what to
 * do next. A POST whose answer was lost may have been applied, so a read comes before any second one; that an
 * operation "has already completed" is believed when a read says so, not for the words.
 */
export class CancelResolution {
  /** What POSTs and reads failed with last; the answer to whom time has run out. */
  lastError: ConnectError | undefined;
  readonly #policy: CancelPolicy;
  /** When the first POST was sent, on both clocks. */
  #firstPostWall = 0;
  #firstPostAt = 0;
  /**
   * The same moment on the upstream's clock, as far as its answers show: not before this, since the `date` header
   * leaves out the parts of a second and was written before it arrived.
   */
  #firstPostUpstream: number | undefined;
  #posts = 0;
  #reads = 0;
  #failedReads = 0;
  /** The last POST: its answer was lost, or it was refused for the state of the operation. */
  #pending: "lost" | "refused" | undefined;
  #refusal: ConnectError | undefined;
  /** The refusal came to the very first POST, so what it says was so before. */
  #refusedAtFirst = false;

  constructor(policy: CancelPolicy) {
    this.#policy = policy;
  }

  /** A POST is sent now: so by the wall clock and by the monotonic one, milliseconds. */
  posting(wall: number, monotonic: number): void {
    if (this.#posts++ > 0) return;
    this.#firstPostWall = wall;
    this.#firstPostAt = monotonic;
  }

  /**
   * An answer of the upstream has come at `at` (monotonic clock) with this `date` header. Moments that the upstream
   * tells are compared with those of its own clock: the gateway's may be minutes off.
   */
  answeredAt(date: string | undefined, at: number): void {
    const shown = date === undefined ? Number.NaN : Date.parse(date);
    if (Number.isNaN(shown) || this.#posts === 0) return;
    const posted = shown - (at - this.#firstPostAt);
    this.#firstPostUpstream = Math.max(posted, this.#firstPostUpstream ?? posted);
  }

  /**
   * A POST has been answered, or not: `error` absent means success. `answered`: an HTTP answer came, so that an error
   * with a 4xx code is the upstream's own word.
   */
  posted(error: ConnectError | undefined, answered: boolean): CancelStep {
    this.#reads = 0;
    this.#refusal = undefined;
    if (!error) {
      this.#pending = undefined;
      return done({ kind: "requested" });
    }
    this.lastError = error;
    if (!answered && isLocal(error)) return done({ kind: "refused", error });
    switch (error.code) {
      case Code.NotFound:
        return done({ kind: "not-found", error });
      case Code.FailedPrecondition:
      case Code.InvalidArgument:
      case Code.OutOfRange:
      case Code.Aborted:
      case Code.AlreadyExists:
        this.#pending = "refused";
        this.#refusal = error;
        this.#refusedAtFirst = this.#posts === 1;
        return { do: "read", afterMs: 0 };
      case Code.Unauthenticated:
        return done({ kind: "refused", error });
      case Code.PermissionDenied:
      case Code.ResourceExhausted:
        return this.#limited(error);
      default:
        // A front end's page may stand before an API that has taken the cancel: whoever stays finds out.
        if (error.code === Code.Unimplemented && !this.#policy.persistent())
          return done({ kind: "refused", error });
        this.#pending = "lost";
        return { do: "read", afterMs: 0 };
    }
  }

  /** A read that was sent after the last POST has found the operation. */
  read(seen: Observation): CancelStep {
    this.#reads++;
    this.#failedReads = 0;
    if (seen.done) return done({ kind: "done", seen, before: this.doneBefore(seen), refusal: this.#refusal });
    if (this.#pending === "refused" && this.#refusal) return this.#refusedButRunning(this.#refusal);
    if (seen.facts.cancelRequested) return done({ kind: "requested" });
    return this.#lostAndRunning();
  }

  /** Such a read has failed. */
  readFailed(error: ConnectError): CancelStep {
    const meaning = meaningOf(error, this.#policy.credentials);
    if (error.code === Code.NotFound) return done({ kind: "not-found", error });
    this.#failedReads++;
    // Whoever may not read cannot be told what became of it.
    if (meaning === "ends" && this.#policy.persistent()) return done({ kind: "refused", error });
    if (meaning === "ends" || (!this.#policy.persistent() && this.#failedReads >= PLAIN_MAX_POSTS))
      return done({ kind: "refused", error: this.lastError ?? error });
    const wait = Math.max(backoff(this.#failedReads, 0), retryAfter(error) ?? 0);
    return { do: "read", afterMs: wait };
  }

  /**
   * Whether an operation that is done was so before the first POST: the upstream refused that very POST, or the
   * operation's own `endTime` is earlier by the upstream's clock (by the gateway's, where no answer has a `date`). A
   * POST that was taken shows that it was not.
   */
  doneBefore(seen: Observation): boolean {
    if (this.#refusedAtFirst && this.#posts === 1) return true;
    const { endTime } = seen.facts;
    const taken = this.#pending === undefined;
    const posted = this.#firstPostUpstream ?? this.#firstPostWall;
    return !taken && endTime !== undefined && endTime < posted;
  }

  /** Nothing was done: too many requests, or no right (which is final). */
  #limited(error: ConnectError): CancelStep {
    const final = meaningOf(error, this.#policy.credentials) !== "limited" || !this.#policy.persistent();
    if (final) return done({ kind: "refused", error });
    return { do: "post", afterMs: Math.max(this.#repostDelay(), retryAfter(error) ?? 0) };
  }

  /** The upstream said no, and the operation runs: its own status, unless it said that the operation is over. */
  #refusedButRunning(refusal: ConnectError): CancelStep {
    if (!this.#policy.persistent() || !saysCompleted(refusal))
      return done({ kind: "refused", error: refusal });
    return { do: "read", afterMs: backoff(this.#reads, 0) };
  }

  /** The POST had no effect, as far as a read can tell. */
  #lostAndRunning(): CancelStep {
    const error = this.lastError;
    const again = this.#policy.persistent()
      ? this.#posts < MAX_POSTS
      : error?.code === Code.Unavailable && this.#posts < PLAIN_MAX_POSTS;
    if (!again && error) return done({ kind: "refused", error });
    return { do: "post", afterMs: Math.max(this.#repostDelay(), (error && retryAfter(error)) ?? 0) };
  }

  #repostDelay(): number {
    return Math.max(backoff(this.#posts, 0), FIRST_REPOST_MS);
  }
}

function done(result: CancelResult): CancelStep {
  return { do: "nothing", result };
}

/** Refused by the gateway itself, before anything was sent. */
function isLocal(error: ConnectError): boolean {
  const reason = ownReason(error);
  return (
    reason === "NAME_INVALID" ||
    reason === "FIELD_INVALID" ||
    reason === "METHOD_WITHOUT_RULE" ||
    reason === "CREDENTIALS_MISSING" ||
    reason === "CREDENTIALS_MALFORMED"
  );
}

/** Whether the refusal says that the operation is over. A hint that makes it worth reading again, no more. */
function saysCompleted(error: ConnectError): boolean {
  const texts = [error.rawMessage, ...error.findDetails(DebugInfoSchema).map((info) => info.detail)];
  return texts.some((text) => /already.{0,20}(?:completed|done|finished|cancel)/i.test(text));
}
