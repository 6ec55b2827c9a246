import type { Socket } from "node:net";
import type { Clock } from "../lib/clock.ts";

/** What a connection speaks, as its first bytes tell. */
export type FirstBytes = "tls" | "h2" | "h1";

/** The first bytes of the HTTP/2 connection preface (RFC 9113 §3.4); no HTTP/1.1 method begins like that. */
const PREFACE = Buffer.from("PRI");

/** Content type of a TLS handshake record (RFC 8446 §5.1); no HTTP method begins with this byte. */
const TLS_HANDSHAKE = 0x16;

/**
 * Finds out by the first bytes of a connection what it speaks, and gives the bytes back to the socket before anyone
 * else reads it. A socket that stays silent for `silentMs` is closed.
 */
export function sniffProtocol(
  socket: Socket,
  clock: Clock,
  silentMs: number,
  found: (protocol: FirstBytes) => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = clock.setTimer(silentMs, () => socket.destroy());
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const protocol = judge(seen);
    if (protocol === undefined) return;
    timer.cancel();
    socket.off("data", onData);
    socket.pause();
    socket.unshift(seen);
    found(protocol);
    // A TLS socket and an HTTP/2 session take what was given back by themselves; HTTP/1.1 waits for the flow.
    if (protocol === "h1") socket.resume();
  };
  socket.on("data", onData);
  socket.on("close", () => timer.cancel());
}

/** `undefined`: more bytes are needed. */
function judge(seen: Buffer): FirstBytes | undefined {
  if (seen[0] === TLS_HANDSHAKE) return "tls";
  const length = Math.min(seen.length, PREFACE.length);
  if (!seen.subarray(0, length).equals(PREFACE.subarray(0, length))) return "h1";
  return length === PREFACE.length ? "h2" : undefined;
}
