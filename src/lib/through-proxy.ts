/**
 * What proxies add to a request. Envoy as a sidecar says `x-forwarded-proto` alone unless `use_remote_address` is set; as an
 * edge, and most others, they say for whom they ask.
 */
const TRACES = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
] as const;

/**
 * Whether a request shows that a proxy has passed it on, so that the address of its peer says nothing about who asks.
 * A proxy that adds nothing (nginx, unless it is told to) cannot be seen.
 */
export function cameThroughProxy(headers: Readonly<Record<string, string | undefined>>): boolean {
  return TRACES.some((name) => headers[name] !== undefined);
}
