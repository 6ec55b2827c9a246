/** Limits of the {@link RetryBudget}; defaults: {@link DEFAULT_RETRY_BUDGET}. */
export interface RetryBudgetLimits {
  /** Retries per request, over the window. */
  readonly ratio: number;
  /** Retries that any window may hold, so that a quiet gateway can retry at all. */
  readonly floor: number;
  /** Seconds. */
  readonly windowSeconds: number;
}

/** Why these: see each line. */
export const DEFAULT_RETRY_BUDGET: RetryBudgetLimits = {
  // Google SRE, "Handling Overload": a client keeps its retries below a tenth of its requests.
  ratio: 0.1,
  // Two calls that use all their retries; from 50 requests in a window on the ratio rules alone.
  floor: 5,
  // Long enough to hold a few retries of a modest rate, short enough to follow it.
  windowSeconds: 10,
};

/**
 * Keeps the retries of all calls together below a share of their traffic, so that a failing upstream is not met with
 * three times the load. Counts in whole seconds over a sliding window; pure but for its own counters.
 */
export class RetryBudget {
  readonly #limits: RetryBudgetLimits;
  readonly #requests: Int32Array;
  readonly #retries: Int32Array;
  #requestSum = 0;
  #retrySum = 0;
  #second = 0;

  constructor(limits: Partial<RetryBudgetLimits> = {}) {
    this.#limits = { ...DEFAULT_RETRY_BUDGET, ...limits };
    this.#requests = new Int32Array(this.#limits.windowSeconds);
    this.#retries = new Int32Array(this.#limits.windowSeconds);
  }

  /** Counts a call's first request. @param nowMs monotonic */
  countRequest(nowMs: number): void {
    const slot = this.#advance(nowMs);
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
    this.#requestSum++;
  }

  /**
   * Takes further requests out of the budget; `false` when it does not hold that many.
   *
   * @param nowMs monotonic
   * @param cost how many requests the retry makes
   */
  tryRetry(nowMs: number, cost = 1): boolean {
    const slot = this.#advance(nowMs);
    const allowed = Math.max(this.#limits.floor, Math.floor(this.#requestSum * this.#limits.ratio));
    if (this.#retrySum + cost > allowed) return false;
    this.#retries[slot] = (this.#retries[slot] ?? 0) + cost;
    this.#retrySum += cost;
    return true;
  }

  /** Forgets the seconds that have left the window. Returns the slot of the present one. */
  #advance(nowMs: number): number {
    const { windowSeconds } = this.#limits;
    const now = Math.floor(nowMs / 1000);
    const steps = Math.min(Math.max(now - this.#second, 0), windowSeconds);
    for (let step = 1; step <= steps; step++) {
      const slot = (now - steps + step) % windowSeconds;
      this.#requestSum -= this.#requests[slot] ?? 0;
      this.#retrySum -= this.#retries[slot] ?? 0;
      this.#requests[slot] = 0;
      this.#retries[slot] = 0;
    }
    if (now > this.#second) this.#second = now;
    return this.#second % windowSeconds;
  }
}
