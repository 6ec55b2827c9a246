import type { RequestBody } from "./request-body.ts";
import type { Unread } from "./unread.ts";

/** A body whose length was said in `Content-Length`; none at all is one of length 0. */
export class FixedBody implements RequestBody {
  progress: "more" | "complete";
  #left: number;

  /** `length` in bytes. */
  constructor(length: number) {
    this.#left = length;
    this.progress = length === 0 ? "complete" : "more";
  }

  isWithin(unread: Unread): boolean {
    return this.#left <= unread.length;
  }

  read(unread: Unread): Buffer | undefined {
    const size = Math.min(this.#left, unread.length);
    if (size === 0) return undefined;
    const data = unread.bytes.subarray(unread.start, unread.start + size);
    unread.start += size;
    this.#left -= size;
    if (this.#left === 0) this.progress = "complete";
    return data;
  }
}
