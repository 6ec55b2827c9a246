/**
 * `host` or `host:port` of RFC 3986 §3.2 without user information: a registered name (percent-encoding well-formed),
 * an IPv4 address, or an IP literal in brackets. Nothing in it is looked up; it only must not mean two things.
 */
const AUTHORITY =
  /^(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}){1,255})(?::(\d{1,5}))?$/;

let lastGood: string | undefined;

/** Whether `:authority` or `Host` is one that an RPC may be called by. Absent and empty ones are not. */
export function isAuthority(value: string | undefined): value is string {
  if (value === undefined) return false;
  // The calls of a connection, and mostly of a process, all name the same one.
  if (value === lastGood) return true;
  const match = AUTHORITY.exec(value);
  const good = match !== null && (match[1] === undefined || Number(match[1]) <= 65_535);
  if (good) lastGood = value;
  return good;
}
