import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Encoded } from "../../src/lib/encoded.ts";
import { isEncoded } from "../../src/lib/encoded.ts";
import type { ResponseStream } from "../../src/rpc/handler.ts";

/** Reads a stream as the writer of a socket would; can stop reading, as a slow caller does. */
export class StreamReader<T extends Message> {
  readonly messages: T[] = [];
  /** What was pulled, before it was turned into messages. */
  readonly raw: (T | Encoded<T>)[] = [];
  ended = false;
  error: ConnectError | undefined;
  /** Resolves when the stream has ended by itself, to its error if it has one. */
  readonly end: Promise<ConnectError | undefined>;
  private readonly resolveEnd: (error: ConnectError | undefined) => void;
  private blocked = false;
  private readonly stream: ResponseStream<T>;
  private readonly onMessage: ((message: T) => void) | undefined;

  constructor(stream: ResponseStream<T>, onMessage?: (message: T) => void) {
    this.stream = stream;
    this.onMessage = onMessage;
    const { promise, resolve } = Promise.withResolvers<ConnectError | undefined>();
    this.end = promise;
    this.resolveEnd = resolve;
    stream.open(() => this.pump());
    this.pump();
  }

  /** The socket takes nothing any more. */
  block(): void {
    this.blocked = true;
  }

  unblock(): void {
    this.blocked = false;
    this.pump();
  }

  /** The caller goes away. */
  leave(): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.close(new ConnectError("gone", Code.Canceled));
    this.resolveEnd(undefined);
  }

  private pump(): void {
    if (this.blocked || this.ended) return;
    for (let message = this.stream.pull(); message !== undefined; message = this.stream.pull()) {
      this.raw.push(message);
      const plain = isEncoded(message) ? message.toMessage() : message;
      this.messages.push(plain);
      this.onMessage?.(plain);
      if (this.blocked) return;
    }
    if (!this.stream.end) return;
    this.ended = true;
    this.error = this.stream.end.error;
    this.resolveEnd(this.error);
  }
}
