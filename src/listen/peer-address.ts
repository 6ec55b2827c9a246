import type { Socket } from "node:net";

/** `host:port` of a socket's peer, `unix` for a local socket. */
export function peerOf(socket: Socket): string {
  if (socket.remoteAddress === undefined) return "unix";
  return socket.remoteFamily === "IPv6"
    ? `[${socket.remoteAddress}]:${socket.remotePort}`
    : `${socket.remoteAddress}:${socket.remotePort}`;
}

/**
 * Has a socket remember the address of its peer: Node asks the system when it is first asked, and the system no longer
 * knows once the connection is gone. The line in the log about a caller who has left would name a local socket.
 */
export function rememberPeer(socket: Socket): void {
  peerOf(socket);
}
