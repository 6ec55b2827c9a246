/** A source of numbers from 0 (inclusive) to 1 (exclusive), like `Math.random`. */
export type Random = () => number;

/**
 * Pseudo-random numbers that a seed repeats exactly (mulberry32). Not for secrets: it makes a test or a demo the same
 * on each run.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An operation id as Google makes them: a decimal number of 18 or 19 digits, far above what a double holds exactly. */
export function operationId(random: Random): string {
  const high = BigInt(Math.floor(random() * 2 ** 31));
  const low = BigInt(Math.floor(random() * 2 ** 32));
  const id = (high << 32n) | low;
  return (id < 10n ** 17n ? id + 10n ** 17n : id).toString();
}

/** A whole number from `low` to `high`, both included. */
export function integerBetween(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}
