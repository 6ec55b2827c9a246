import type { Socket } from "node:net";

/** `host:port` of a socket's peer, `unix` for a local socket. */
export function peerOf(socket: Socket): string {
  if (socket.remoteAddress === undefined) return "unix";
  return socket.remoteFamily === "IPv6"
    ? `[${socket.remoteAddress}]:${socket.remotePort}`
    : `${socket.remoteAddress}:${socket.remotePort}`;
}
