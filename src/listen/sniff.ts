import type { Socket } from "node:net";

/** The first bytes of the HTTP/2 connection preface (RFC 9113 §3.4); no HTTP/1.1 method begins like that. */
const PREFACE = Buffer.from("PRI");

/**
 * Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes of a connection, and gives the bytes back to
 * the socket before anyone else reads it.
 */
export function sniffProtocol(socket: Socket, found: (protocol: "h2" | "h1") => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const same = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (same && length < PREFACE.length) return;
    socket.off("data", onData);
    socket.pause();
    socket.unshift(seen);
    found(same ? "h2" : "h1");
    // An HTTP/2 session takes what was given back by itself, in a later turn; HTTP/1.1 waits for the flow.
    if (!same) socket.resume();
  };
  socket.on("data", onData);
}
