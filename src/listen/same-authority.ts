/**
 * Whether the `Host` of an HTTP/2 request names what its `:authority` names. If not, the request is malformed
 * (RFC 9113 §8.3.1): of two who read it, one may go by the one and one by the other. Compared as RFC 3986 §6.2.2.1 and
 * §6.2.3 have it: case means nothing, and neither does the port that the scheme stands for.
 */
export function isSameAuthority(host: string, authority: string, scheme: string | undefined): boolean {
  return host === authority || normalise(host, scheme) === normalise(authority, scheme);
}

function normalise(authority: string, scheme: string | undefined): string {
  return authority.toLowerCase().replace(scheme?.toLowerCase() === "https" ? /:(?:443)?$/ : /:(?:80)?$/, "");
}
