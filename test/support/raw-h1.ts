import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A caller of HTTP/1.1 that sends bytes as they are; nothing in them is checked, that is the point. */
export class RawH1 {
  /** All that has come back, as Latin-1. */
  read = "";
  readonly socket: Socket;
  readonly closed: Promise<unknown>;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      this.read += chunk.toString("latin1");
    });
    this.closed = new Promise((resolve) => socket.once("close", resolve));
  }

  static async connect(port: number): Promise<RawH1> {
    // It ends its side itself, so that a test sees when the other one has.
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return new RawH1(socket);
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"));
  }

  /** Resolves when what has come back matches; rejects when the connection is closed before. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.read)) {
      if (this.socket.closed || this.socket.readableEnded)
        throw new Error(`closed after ${JSON.stringify(this.read)}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Resolves when the other side has ended, cleanly or not. */
  async ended(): Promise<void> {
    if (this.socket.readableEnded || this.socket.closed) return;
    await Promise.race([once(this.socket, "end").catch(() => {}), this.closed]);
  }

  destroy(): void {
    this.socket.destroy();
  }
}
