import type { Socket } from "node:net";
import { peerOf } from "./peer-address.ts";

/**
 * Connections that have not made a call yet: silent ones, those in the middle of a TLS handshake, a preface or a header
 * block, and those that say nothing behind it. When no more connections can be held, the oldest of these makes room for
 * the next: so a crowd of them, which costs its sender nothing, keeps nobody out who calls as soon as he is connected.
 * (nginx gives up connections that are not in use when it has no others.)
 *
 * Told apart by the address of the peer, the one thing that a call knows of its connection through TLS and whatever
 * carries it. Local sockets have none, and are not counted.
 */
export class Newcomers {
  readonly #sockets = new Map<string, Socket>();

  add(socket: Socket): void {
    const peer = peerOf(socket);
    if (peer === "unix") return;
    this.#sockets.set(peer, socket);
    socket.on("close", () => {
      // The address may be another connection's by now.
      if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer);
    });
  }

  /** A call has come from this peer. On the way of every call: mostly there is no newcomer, and nothing to look up. */
  called(peer: string): void {
    if (this.#sockets.size > 0) this.#sockets.delete(peer);
  }

  /** Takes out the one that has been here longest; `undefined`: all have called. */
  takeOldest(): Socket | undefined {
    for (const [peer, socket] of this.#sockets) {
      this.#sockets.delete(peer);
      return socket;
    }
    return undefined;
  }
}
