import type { RequestIds } from "../lib/request-ids.ts";

/** What may go into logs, headers and error details as it is. */
const REQUEST_ID = /^[A-Za-z0-9-]{1,128}$/;

/** The id of a request: what its `x-request-id` says if that is well-formed, else a new one. */
export function requestIdOf(given: string | undefined, ids: RequestIds): string {
  return given !== undefined && REQUEST_ID.test(given) ? given : ids.next();
}
