import type { RateLimitSettings } from "./settings.ts";

/** Token buckets, one for each key. */
export interface RateLimiter {
  /**
   * Takes one request of `key` at the monotonic time `now` (milliseconds). Returns 0 when it may pass, else the
   * milliseconds until the next one may. A refused request takes nothing.
   */
  take(key: string, limit: RateLimitSettings, now: number): number;
  clear(): void;
}

/** Creates a {@link RateLimiter} whose buckets are full. */
export function createRateLimiter(): RateLimiter {
  const buckets = new Map<string, { level: number; at: number }>();
  return {
    take(key, limit, now) {
      const bucket = buckets.get(key) ?? { level: limit.burst, at: now };
      const level = Math.min(limit.burst, bucket.level + ((now - bucket.at) / 1000) * limit.perSecond);
      // A millionth of a request forgives what floating point loses.
      const passes = level >= 1 - 1e-6;
      buckets.set(key, { level: passes ? level - 1 : level, at: now });
      return passes ? 0 : Math.max(1, ((1 - level) / limit.perSecond) * 1000);
    },
    clear: () => buckets.clear(),
  };
}
