import { isLoopback, parseHostPort } from "../config/host-port.ts";

/** Where a client calls a gateway. */
export interface GatewayAddress {
  /** As messages name it and `--address` takes it: `https://gateway.example`, `http://127.0.0.1:8080`, `unix:/path`. */
  readonly text: string;
  /** The origin of all requests. */
  readonly origin: string;
  /** The Unix socket to connect to instead of the origin's host. */
  readonly socketPath: string | undefined;
  readonly tls: boolean;
  /** Whether what is sent stays on this machine. */
  readonly local: boolean;
}

/** Reads `host:port` (clear text), `http://…`, `https://…` or `unix:/path`. `undefined` for anything else. */
export function parseGatewayAddress(address: string): GatewayAddress | undefined {
  const socketPath = /^unix:(.+)$/s.exec(address)?.[1];
  if (socketPath !== undefined)
    return { text: address, origin: "http://localhost", socketPath, tls: false, local: true };
  const text = parseHostPort(address) ? `http://${address}` : address;
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.pathname !== "/" || url.username !== "" || url.password !== "" || url.search !== "")
    return undefined;
  return {
    text: url.origin,
    origin: url.origin,
    socketPath: undefined,
    tls: url.protocol === "https:",
    local: isLoopback(url.hostname.replace(/^\[|\]$/g, "")),
  };
}
