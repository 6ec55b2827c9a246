/** How much a header block or a trailer section may hold. */
export interface FieldLimits {
  /** Bytes of all names and values, an exclusive bound. */
  readonly headerListBytes: number;
  /** Lines at most. */
  readonly headerFields: number;
}
