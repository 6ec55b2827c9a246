/** No server is believed that asks for more: a day. */
const RETRY_AFTER_MAX_MS = 24 * 60 * 60 * 1000;

const DAYS = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*";
const DATE = new RegExp(`^${DAYS},? .*[0-9]{2}:[0-9]{2}:[0-9]{2}`);

/**
 * Reads a Retry-After header (RFC 9110 §10.2.3): seconds, or an HTTP date in any of its three forms.
 *
 * Returns milliseconds from `now` (Unix epoch, ms), 0 for a date that has passed, at most {@link RETRY_AFTER_MAX_MS};
 * `undefined` for what is neither.
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? "";
  let delay: number;
  if (/^[0-9]+$/.test(text)) delay = Number(text) * 1000;
  else if (DATE.test(text)) delay = Date.parse(asUtc(text)) - now;
  else return undefined;
  return Number.isNaN(delay) ? undefined : Math.min(Math.max(delay, 0), RETRY_AFTER_MAX_MS);
}

/** The asctime form (`Sun Nov  6 08:49:37 1994`) names no zone and means UTC. */
function asUtc(text: string): string {
  return /(?:GMT|UTC)$/.test(text) ? text : `${text} GMT`;
}
