import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import type { ResponseStream, ServerStreamHandler } from "./handler.ts";
import { RpcCall } from "./rpc-call.ts";

/**
 * How many bytes of messages that wait at the source go out in one write. More would only be held by Node instead of
 * by the source, which can still replace it by something newer.
 */
const WRITE_BYTES = 16_384;

/**
 * A server-streaming call: one message in, any number out, taken from its source only when the caller has taken the
 * last write. A caller that does not read costs one write, whatever happens at the source.
 */
export class ServerStreamCall extends RpcCall<ServerStreamHandler> {
  #source: ResponseStream | undefined;
  #begun = false;
  /** A write that the carrier has not finished, or a compression under way. */
  #busy = false;
  /** Bytes of the write under way. */
  #writing = 0;
  /** When the write under way must have left, on {@link Clock.monotonic}. */
  #stallsAt = Number.POSITIVE_INFINITY;

  override start(): void {
    this.path.streams.add(this);
    super.start();
  }

  override drained(): void {
    if (this.phase === "answered") return;
    this.#busy = false;
    this.#writing = 0;
    this.#stallsAt = Number.POSITIVE_INFINITY;
    this.#pump();
  }

  protected override invoke(request: Message): void {
    try {
      this.#source = this.handler(request, this);
      this.#source.open(() => this.#pump());
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#pump();
  }

  protected override sendError(error: ConnectError): void {
    if (this.#begun) this.wire.protocol.end(this, error);
    else super.sendError(error);
  }

  /** What was sent before has been taken. */
  protected override get unsentBytes(): number {
    return this.#writing;
  }

  protected override stillRunning(now: number): void {
    if (now >= this.#stallsAt) {
      // Trailers could not overtake the message that is not read; gRPC clients read this reset as RESOURCE_EXHAUSTED:
      // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors
      const seconds = this.path.limits.answerStallMs / 1000;
      this.cut(gatewayError("SLOW_READER", `nothing was read from the stream for ${seconds} s`));
    } else this.path.wheel.set(this, Math.min(this.deadline, this.#stallsAt));
  }

  protected override decided(error: ConnectError | undefined): void {
    super.decided(error);
    const { streams, streamEnded, refuseStreams } = this.path;
    streams.delete(this);
    if (!refuseStreams) streamEnded?.();
    const source = this.#source;
    this.#source = undefined;
    if (source && !source.end) source.close(error ?? gatewayError("CALLER_GONE", "the stream has ended"));
  }

  /** Moves what the source has to the carrier, until there is nothing or the carrier has enough. */
  #pump(): void {
    while (!this.#busy && this.#source) {
      this.#busy = true;
      try {
        if (this.#move(this.#source)) continue;
        this.#busy = false;
        const { end } = this.#source;
        if (end?.error) this.fail(end.error);
        else if (end) this.#finish();
      } catch (error) {
        this.fail(error);
      }
      return;
    }
  }

  /** Takes messages from the source and writes them together. False: it has none now. */
  #move(source: ResponseStream): boolean {
    const frames: Uint8Array[] = [];
    for (let size = 0; size < WRITE_BYTES; ) {
      const message = source.pull();
      if (message === undefined) break;
      const bytes = this.codec.encode(this.method.output, message);
      size += bytes.byteLength;
      this.responseMessages++;
      this.responseBytes += bytes.byteLength;
      const compression = this.compression.response;
      if (compression && bytes.byteLength >= this.path.limits.compressMinBytes) {
        compression.compress(bytes).then(
          (compressed) => this.#write([...frames, this.wire.protocol.frame(compressed, true)], true),
          (error: unknown) => this.fail(error),
        );
        return true;
      }
      frames.push(this.wire.protocol.frame(bytes, false));
    }
    if (frames.length > 0) this.#write(frames, false);
    return frames.length > 0;
  }

  /** `later`: the pump has gone away meanwhile, and is called again. */
  #write(frames: Uint8Array[], later: boolean): void {
    if (this.phase === "answered") return;
    const { carrier } = this;
    this.#begin();
    const bytes = frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames);
    this.#busy = !carrier.write(bytes);
    if (this.#busy) this.#watchWrite(bytes.byteLength);
    else if (later) this.#pump();
  }

  /** The wheel is asked for a look at the write; moving its entry for every message would cost more. */
  #watchWrite(bytes: number): void {
    const { path } = this;
    this.#writing = bytes;
    this.#stallsAt = path.clock.monotonic() + path.limits.answerStallMs;
    if (!this.next || this.due > this.#stallsAt)
      path.wheel.set(this, Math.min(this.deadline, this.#stallsAt));
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.wire.protocol.begin(this, this.compression.response?.name);
  }

  #finish(): void {
    this.#begin();
    this.wire.protocol.end(this, undefined);
    this.decided(undefined);
  }
}
