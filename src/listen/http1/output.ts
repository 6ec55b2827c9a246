import type { Socket } from "node:net";
import type { Leaving, TurnEnd } from "../../lib/turn-end.ts";

/** Called when what was sent has left, or never will. */
export type Sent = (error?: Error | null) => void;

/** Above this, copying a body costs more than a second buffer in the same system call. */
const ONE_WRITE_BYTES = 16_384;

/** What a connection sends: all of a turn of the event loop in one write, at its end. */
export class Output implements Leaving {
  readonly #socket: Socket;
  readonly #turnEnd: TurnEnd;
  /** What waits for the end of the turn, Latin-1. */
  #text = "";
  #sent: Sent | undefined;

  constructor(socket: Socket, turnEnd: TurnEnd) {
    this.#socket = socket;
    this.#turnEnd = turnEnd;
  }

  get writable(): boolean {
    return this.#socket.writable;
  }

  /**
   * Sends `before`, `bytes` and `after`, of which the texts are Latin-1. Nobody may change the bytes until `sent`; who
   * sends more in the same turn asks for that of the last piece, and is told of it alone.
   */
  send(before: string, bytes?: Uint8Array, sent?: Sent, after = ""): void {
    if (!this.#socket.writable) return;
    if (bytes === undefined || bytes.byteLength === 0) this.#add(before + after, sent);
    // Node writes a string in one step, and two pieces with bookkeeping for each; Latin-1 is bytes by another name.
    else if (bytes.byteLength <= ONE_WRITE_BYTES) this.#add(before + latin1(bytes) + after, sent);
    else this.#write(before, bytes, after, sent);
  }

  /** Writes what waits for the end of the turn: it is there, or the connection ends before it. */
  leave(): void {
    if (this.#text === "") return;
    const text = this.#text;
    const sent = this.#sent;
    this.#text = "";
    this.#sent = undefined;
    if (this.#socket.writable) this.#socket.write(text, "latin1", sent);
  }

  /** Ends our side behind what was sent. */
  end(): void {
    this.leave();
    this.#socket.end();
  }

  /** Ends the connection; what was sent is not waited for. */
  cut(): void {
    this.leave();
    this.#socket.destroy();
  }

  #add(text: string, sent: Sent | undefined): void {
    if (this.#text === "") this.#turnEnd.add(this);
    this.#text += text;
    this.#sent = sent ?? this.#sent;
  }

  #write(before: string, bytes: Uint8Array, after: string, sent: Sent | undefined): void {
    const socket = this.#socket;
    socket.cork();
    this.leave();
    socket.write(before, "latin1");
    socket.write(bytes);
    socket.write(after, "latin1", sent);
    socket.uncork();
  }
}

function latin1(bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  return (bytes instanceof Buffer ? bytes : Buffer.from(buffer, byteOffset, byteLength)).toString("latin1");
}
