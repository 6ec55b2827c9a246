/** What has arrived and is not read yet: the bytes from `start` to `end`, which the reader may overwrite. */
export interface Span {
  readonly bytes: Buffer;
  /** The reader moves it. */
  start: number;
  readonly end: number;
  /** `end - start`. */
  readonly length: number;
}
