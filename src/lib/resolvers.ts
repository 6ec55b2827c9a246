/**
 * Whom one tells what became of something: a promise's two functions, as `Promise.withResolvers()` returns them, or any
 * object that has them, where a promise for each call would cost more than what it tells.
 */
export interface Resolvers<T> {
  resolve(result: T): void;
  reject(why: unknown): void;
}
