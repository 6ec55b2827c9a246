import type { DescField } from "@bufbuild/protobuf";
import { isLongerThan, nameProblem } from "./resource-name.ts";

/** UTF-8 bytes of `filter`: far beyond a filter that a person writes, and small enough to leave room in a URL. */
export const MAX_FILTER_BYTES = 2048;

/** UTF-8 bytes of `page_token`: the tokens of Google APIs have some hundred; they are the upstream's own, so be generous. */
export const MAX_PAGE_TOKEN_BYTES = 4096;

/** UTF-8 bytes of any other text that goes into the query. */
const MAX_TEXT_BYTES = 2048;

/**
 * Octets of path and query after encoding. RFC 9110 §4.1 asks servers to take request lines of 8,000; longer ones are
 * cut off with a 414 page by some, without one by others.
 */
export const MAX_TARGET_LENGTH = 8000;

const LIMITS: Readonly<Record<string, number>> = {
  filter: MAX_FILTER_BYTES,
  page_token: MAX_PAGE_TOKEN_BYTES,
};

/**
 * Why a field's text must not go into a query or body, as the end of a sentence, or `undefined`. Controls and the like
 * are the upstream's business there, but not in a name: some APIs take it in the query (speech v1: `get /v1/operations`).
 */
export function textProblem(field: DescField, value: string): string | undefined {
  if (field.name === "name") return nameProblem(value);
  const limit = LIMITS[field.name] ?? MAX_TEXT_BYTES;
  if (isLongerThan(value, limit)) return `is longer than ${limit} bytes`;
  return value.isWellFormed()
    ? undefined
    : "holds a lone surrogate (half of a UTF-16 pair), which has no UTF-8 form";
}

/** Why a field's number must not be sent, as the end of a sentence, or `undefined`. AIP-158: no negative page size. */
export function numberProblem(field: DescField, value: unknown): string | undefined {
  if (field.name === "page_size" && typeof value === "number" && value < 0) return "is negative";
  return undefined;
}
