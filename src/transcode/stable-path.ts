/**
 * Whether a URL parser takes an encoded path (without query) for exactly this path: nothing collapsed, replaced,
 * dropped, or read as host, query or fragment. WHATWG URL is what every JavaScript HTTP client parses with.
 *
 * @see https://url.spec.whatwg.org/#path-state
 */
export function isStablePath(path: string): boolean {
  return URL.parse(path, "http://upstream.invalid")?.pathname === path;
}
