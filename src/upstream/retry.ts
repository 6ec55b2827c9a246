import { Code } from "@connectrpc/connect";

/** What is known when a call's request has failed. */
export interface FailedAttempt {
  /** google.rpc code of the failure. */
  readonly code: Code;
  /** Requests of this call so far, 1 or more. */
  readonly attempts: number;
  /** `false` when trying again cannot help although the code says so (a certificate that does not match). */
  readonly retryable: boolean;
  /** The upstream's RetryInfo or Retry-After, milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** When the call must be answered, monotonic; `Infinity` without a deadline. */
  readonly deadline: number;
  /** 0 to 1. */
  readonly random: number;
}

/** Retries of one call at most: three attempts in all, what Google SRE's "Handling Overload" allows. */
export const MAX_RETRIES = 2;

/**
 * Wait before the first retry. The upstream's SLA counts errors only towards clients that wait a second or more and
 * double it to 32 s (https://cloud.google.com/healthcare/sla).
 */
export const FIRST_RETRY_MS = 1_000;

/** Waits grow by up to this share, at random; upward only, for the same reason. */
const JITTER = 0.25;

/** A retry needs at least this much of the deadline left for itself, or its answer would come too late. */
const MIN_ATTEMPT_MS = 50;

/** When the upstream wants a longer wait than this, the caller is told instead of kept waiting. */
const MAX_WAIT_MS = 32_000;

/**
 * Decides whether and when a failed request is sent again: UNAVAILABLE only (https://google.aip.dev/194), at most
 * {@link MAX_RETRIES} times, only if the wait leaves time before the deadline. Returns milliseconds to wait, or
 * `undefined`. Whether the retry budget allows it is asked afterwards, because asking spends.
 */
export function retryDelay(failed: FailedAttempt): number | undefined {
  if (failed.code !== Code.Unavailable || !failed.retryable || failed.attempts > MAX_RETRIES)
    return undefined;
  const backoff = FIRST_RETRY_MS * 2 ** (failed.attempts - 1);
  const wait = Math.max(backoff, failed.retryAfterMs ?? 0) * (1 + failed.random * JITTER);
  if (wait > MAX_WAIT_MS * (1 + JITTER) || failed.now + wait + MIN_ATTEMPT_MS > failed.deadline)
    return undefined;
  return wait;
}
