/** Where a listener listens. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Reads `host:port` (brackets around an IPv6 address, port 0 for a free one) or `unix:/path/of/socket`. */
export function parseListenAddress(listen: string): ListenAddress | { readonly problem: string } {
  if (listen.startsWith("unix:")) {
    const path = listen.slice("unix:".length);
    return path === "" ? { problem: "unix: needs the path of the socket behind it" } : { kind: "unix", path };
  }
  const [, host, digits] = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]/\s]+):(\d{1,5})$/.exec(listen) ?? [];
  const port = Number(digits);
  if (host === undefined || port > 65_535)
    return { problem: `"${listen}" is neither host:port (say 127.0.0.1:8080 or [::1]:8080) nor unix:/path` };
  return { kind: "tcp", host: host.replace(/^\[|\]$/g, ""), port };
}

/** Why Node could not listen, for people. */
export function describeListenError(listen: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `cannot listen on ${listen}: something else listens there; stop it, or choose another address`;
    case "EACCES":
    case "EPERM":
      return `cannot listen on ${listen}: this user may not; ports below 1024 need a privilege`;
    case "EADDRNOTAVAIL":
      return `cannot listen on ${listen}: this machine has no such address`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `cannot listen on ${listen}: the host name is not known`;
    default:
      return `cannot listen on ${listen}: ${error.message}`;
  }
}
