import { cameThroughProxy } from "../lib/through-proxy.ts";

/** What the guard looks at. */
export interface ControlCaller {
  /** Address of the peer of the TCP connection. */
  readonly remoteAddress: string | undefined;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/**
 * Whether a caller may use the control endpoint: a program on this machine, and no web page in a browser on it.
 *
 * A page of another site cannot leave out `Origin` where it matters, and a name that was re-bound to 127.0.0.1 shows
 * in `Host`; a proxy on this machine that forwards for others says so.
 */
export function mayControl(caller: ControlCaller): boolean {
  const { remoteAddress = "", headers } = caller;
  const isLocal = /^(::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/.test(remoteAddress);
  const host = (headers["host"] ?? "").replace(/:\d+$/, "").toLowerCase();
  const isLocalHost = host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
  const site = headers["sec-fetch-site"];
  const isPage = headers["origin"] !== undefined || (site !== undefined && site !== "none");
  return isLocal && isLocalHost && !isPage && !cameThroughProxy(headers);
}
