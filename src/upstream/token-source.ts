import type { Clock } from "../lib/clock.ts";

/** An access token as its issuer gave it, checked for shape. */
export interface AccessToken {
  /** The complete value of the `authorization` header: `Bearer` and the token. */
  readonly authorization: string;
  /** Value of `x-goog-user-project`, the project whose quota and bill the calls count on, if any. */
  readonly quotaProject: string | undefined;
  /** How long the token lives, milliseconds from when it was issued. */
  readonly lifetimeMs: number;
}

/** Why there is no token. */
export class TokenFailure extends Error {
  /**
   * `unavailable`: the token service cannot be reached or is failing; it may work later.
   * `rejected`: the credentials are wrong, unreadable or of another universe; an operator has to act.
   */
  readonly kind: "unavailable" | "rejected";

  constructor(kind: "unavailable" | "rejected", message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "TokenFailure";
    this.kind = kind;
  }
}

/** Times of the {@link TokenSource}, milliseconds. Defaults: {@link DEFAULT_TOKEN_TIMES}. */
export interface TokenTimes {
  /** A fetch that takes longer has failed. */
  readonly fetchTimeout: number;
  /** How long before its expiry a token is replaced in the background. */
  readonly refreshAhead: number;
  /** How long before its expiry a token is not used any more: it has to arrive while it is valid. */
  readonly unusableAhead: number;
  /** From the end of a failed fetch to the next one at least; doubles with each failure in a row. */
  readonly backoff: number;
  readonly maxBackoff: number;
  /** How long after a failure a call waits for a further fetch no longer than {@link failFast}. */
  readonly outage: number;
  readonly failFast: number;
  /** From one forced refresh to the next at least. */
  readonly forcedInterval: number;
  /** No token is used for longer, whatever its issuer says. */
  readonly maxLifetime: number;
  /** A token that lives for less is of no use and counts as a failed fetch. */
  readonly minLifetime: number;
}

/** Why these: see each line. */
export const DEFAULT_TOKEN_TIMES: TokenTimes = {
  // An exchange of two steps (STS, then impersonation) takes well under two seconds.
  fetchTimeout: 10_000,
  // The metadata server hands out the same token until five minutes before its end, so asking earlier is for nothing.
  refreshAhead: 240_000,
  // More than one request limit's worth of clock difference between two machines that run NTP.
  unusableAhead: 30_000,
  // At most one request a second to a token service that is failing.
  backoff: 1_000,
  maxBackoff: 8_000,
  // In an outage callers hear of it within a tenth of a second instead of each waiting for a fetch of its own.
  outage: 10_000,
  failFast: 75,
  // A token that is refused although it is new will be refused again; one a second finds out soon enough.
  forcedInterval: 1_000,
  // Google's access tokens live an hour. An absolute expiry read on a clock that is slow looks longer than that.
  maxLifetime: 3_600_000,
  // Below this it would be replaced faster than the pace for failures allows.
  minLifetime: 5_000,
};

interface Held {
  readonly token: AccessToken;
  readonly refreshAt: number;
  readonly usableUntil: number;
  readonly expires: number;
}

/**
 * Holds the gateway's own access token: at most one fetch at a time for all callers, the valid token served while its
 * successor is fetched in the background, failures paced. Fetches happen only when a call asks, so an idle gateway
 * holds no timer.
 *
 * Lifetimes are counted on the monotonic clock, so that a wall clock that is wrong or jumps does not age a token.
 */
export class TokenSource {
  readonly #fetchToken: () => Promise<AccessToken>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #times: TokenTimes;
  #held: Held | undefined;
  #fetching: Promise<AccessToken> | undefined;
  #failure: { readonly why: TokenFailure; readonly at: number } | undefined;
  #failures = 0;
  #notBefore = Number.NEGATIVE_INFINITY;
  #lastForced = Number.NEGATIVE_INFINITY;

  /**
   * @param fetchToken gets a new token from the issuer, never a cached one; rejects with {@link TokenFailure}
   * @param random 0 to 1, for jitter
   */
  constructor(
    fetchToken: () => Promise<AccessToken>,
    clock: Clock,
    random: () => number,
    times: Partial<TokenTimes> = {},
  ) {
    this.#fetchToken = fetchToken;
    this.#clock = clock;
    this.#random = random;
    this.#times = { ...DEFAULT_TOKEN_TIMES, ...times };
  }

  /** The token to use now, without a promise when there is one. Rejects with {@link TokenFailure}. */
  get(): AccessToken | Promise<AccessToken> {
    const now = this.#clock.monotonic();
    const held = this.#held;
    if (held && now < held.usableUntil) {
      // Nobody waits for this one: a failure is remembered and tried again while the token lasts.
      if (now >= held.refreshAt && this.#mayFetch(now)) this.#fetch().catch(() => {});
      return held.token;
    }
    if (this.#mayFetch(now)) this.#fetch().catch(() => {});
    const inOutage = this.#failure !== undefined && now - this.#failure.at < this.#times.outage;
    const why = this.#failure?.why ?? new TokenFailure("unavailable", "the token service is paced");
    if (!this.#fetching) return Promise.reject(why);
    return inOutage ? this.#atMost(this.#times.failFast, this.#fetching, why) : this.#fetching;
  }

  /**
   * After the upstream refused `rejected`: a token that is not that one, fetched if need be; `undefined` when a token
   * was forced so recently that another would not help.
   */
  async replace(rejected: AccessToken): Promise<AccessToken | undefined> {
    const now = this.#clock.monotonic();
    if (this.#held && this.#held.token !== rejected && now < this.#held.usableUntil) return this.#held.token;
    if (this.#fetching) return this.#fetching;
    if (now - this.#lastForced < this.#times.forcedInterval) return undefined;
    if (this.#failure && now < this.#notBefore) throw this.#failure.why;
    this.#lastForced = now;
    return this.#fetch();
  }

  /** Milliseconds until the token in use expires, or undefined without one. For a metric. */
  get remainingMs(): number | undefined {
    return this.#held && this.#held.expires - this.#clock.monotonic();
  }

  /** Milliseconds until a failing token service is asked again; 0 when it may be asked now. */
  get retryAfterMs(): number {
    return Math.max(0, this.#notBefore - this.#clock.monotonic());
  }

  #mayFetch(now: number): boolean {
    return !this.#fetching && now >= this.#notBefore;
  }

  #fetch(): Promise<AccessToken> {
    const late = new TokenFailure("unavailable", "the token service did not answer in time");
    this.#fetching = this.#atMost(this.#times.fetchTimeout, this.#fetchToken(), late).then(
      (token) => this.#succeeded(token),
      (error) => this.#failed(error),
    );
    return this.#fetching;
  }

  #succeeded(token: AccessToken): AccessToken {
    const now = this.#clock.monotonic();
    const lifetime = Math.min(token.lifetimeMs, this.#times.maxLifetime);
    if (lifetime < this.#times.minLifetime)
      return this.#failed(new TokenFailure("unavailable", "the token service gave a token that has expired"));
    // Short-lived tokens (some issuers give a minute) keep the same proportions.
    const refreshAhead = Math.min(this.#times.refreshAhead, lifetime / 2);
    const unusableAhead = Math.min(this.#times.unusableAhead, lifetime / 4);
    this.#held = {
      token,
      // Later by up to a tenth, so that many gateways started together do not refresh together.
      refreshAt: now + lifetime - refreshAhead * (1 - this.#random() * 0.1),
      usableUntil: now + lifetime - unusableAhead,
      expires: now + lifetime,
    };
    this.#fetching = undefined;
    this.#failure = undefined;
    this.#failures = 0;
    // An issuer that hands out a token near its end is not asked again at once.
    this.#notBefore = now + this.#times.backoff;
    return token;
  }

  #failed(error: unknown): never {
    const now = this.#clock.monotonic();
    const why =
      error instanceof TokenFailure
        ? error
        : new TokenFailure("unavailable", "the token could not be fetched", error);
    const backoff = Math.min(this.#times.backoff * 2 ** this.#failures, this.#times.maxBackoff);
    this.#fetching = undefined;
    this.#failure = { why, at: now };
    this.#failures++;
    this.#notBefore = now + backoff * (1 + this.#random() * 0.25);
    throw why;
  }

  /** Bounds a wait: rejects with `late` once it has lasted `ms`. What is waited for goes on. */
  #atMost(ms: number, token: Promise<AccessToken>, late: TokenFailure): Promise<AccessToken> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(ms, () => reject(late));
      token.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}
