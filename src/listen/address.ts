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

/** The code of an error about a path that something else than a socket has; beside those of the system. */
export const NOT_A_SOCKET = "ERR_NOT_A_SOCKET";

/** Why Node could not listen, for people. */
export function describeListenError(listen: string, error: NodeJS.ErrnoException): string {
  return `cannot listen on ${listen}: ${describeReason(listen.startsWith("unix:"), error)}`;
}

function describeReason(isPath: boolean, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "something else listens there; stop it, or choose another address";
    case "EACCES":
    case "EPERM":
      // libuv says EACCES for a directory that does not exist, too.
      return isPath
        ? "its directory does not exist, or this user may not write there"
        : "this user may not; ports below 1024 need a privilege";
    case "ENOTDIR":
      return "a part of its path is not a directory";
    case "EINVAL":
      return isPath ? "its path is too long for a socket; about 100 bytes are possible" : error.message;
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name is not known";
    default:
      return error.message;
  }
}
