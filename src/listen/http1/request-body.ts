import type { Unread } from "./unread.ts";

/** The body of a request, found in what arrives by its framing (RFC 9112 §6.3). */
export interface RequestBody {
  /** How far it has been read. Once it is `broken`, nobody can tell where the next request begins. */
  readonly progress: "more" | "complete" | "broken";
  /** Whether it is known that all of it has arrived. */
  isWithin(unread: Unread): boolean;
  /** Takes what is there of it: its data in one piece, `undefined` when there are none. */
  read(unread: Unread): Buffer | undefined;
}
