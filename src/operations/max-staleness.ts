import { gatewayError } from "../errors/reasons.ts";

/**
 * Request header of GetOperation: how old the answer may be, as a duration in seconds, e.g. `5s` or `0.5s`. Without
 * it the answer comes from a read that was sent after the call arrived. At most a minute counts.
 */
export const MAX_STALENESS_HEADER = "lro-max-staleness";

/**
 * The value of that header in milliseconds; 0 without it.
 *
 * @throws ConnectError INVALID_ARGUMENT when it is not such a duration.
 */
export function maxStalenessMs(header: string | undefined): number {
  if (header === undefined) return 0;
  const seconds = /^([0-9]{1,9}(?:\.[0-9]{1,9})?)s$/.exec(header)?.[1];
  if (seconds === undefined)
    throw gatewayError(
      "FIELD_INVALID",
      `${MAX_STALENESS_HEADER} must be a duration in seconds, for example 5s`,
    );
  return Number(seconds) * 1000;
}
