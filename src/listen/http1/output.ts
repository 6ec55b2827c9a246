import type { Socket } from "node:net";

/** Called when what was sent has left, or never will. */
export type Sent = (error?: Error | null) => void;

/** Above this, copying a body costs more than a second buffer in the same system call. */
const ONE_WRITE_BYTES = 16_384;

/** What a connection sends, in as few writes as the socket can. */
export class Output {
  readonly #socket: Socket;
  #held = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get writable(): boolean {
    return this.#socket.writable;
  }

  /** Lets everything that is sent in this turn leave in one write. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#socket.cork();
    process.nextTick(release, this);
  }

  /** The turn is over. */
  release(): void {
    this.#held = false;
    this.#socket.uncork();
  }

  /**
   * Sends `before`, `bytes` and `after`, of which the texts are Latin-1, in one write. Nobody may change the bytes
   * until `sent`.
   */
  send(before: string, bytes?: Uint8Array, sent?: Sent, after = ""): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (bytes === undefined || bytes.byteLength === 0) socket.write(before + after, "latin1", sent);
    // Node writes a string in one step, and two pieces with bookkeeping for each; Latin-1 is bytes by another name.
    else if (bytes.byteLength <= ONE_WRITE_BYTES)
      socket.write(before + latin1(bytes) + after, "latin1", sent);
    else {
      socket.cork();
      socket.write(before, "latin1");
      socket.write(bytes);
      socket.write(after, "latin1", sent);
      socket.uncork();
    }
  }
}

function release(output: Output): void {
  output.release();
}

function latin1(bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  return (bytes instanceof Buffer ? bytes : Buffer.from(buffer, byteOffset, byteLength)).toString("latin1");
}
