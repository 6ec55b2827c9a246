import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { finishError } from "../errors/fit.ts";
import type { Encoded } from "../lib/encoded.ts";
import type { UnaryHandler } from "./handler.ts";
import { RpcCall } from "./rpc-call.ts";

/** A unary call: one message in, one message or one error out. */
export class UnaryCall extends RpcCall<UnaryHandler> {
  protected override invoke(request: Message): void {
    try {
      const answer = this.handler(request, this);
      if (answer instanceof Promise)
        answer.then(
          (message) => this.#answer(message),
          (error: unknown) => this.fail(error),
        );
      else this.#answer(answer);
    } catch (error) {
      this.fail(error);
    }
  }

  protected override stillRunning(now: number): void {
    super.stillRunning(now);
    if (this.deadline === Number.POSITIVE_INFINITY) this.path.unbounded.add(this);
  }

  protected override decided(error: ConnectError | undefined): void {
    super.decided(error);
    if (this.deadline === Number.POSITIVE_INFINITY) this.path.unbounded.delete(this);
  }

  #answer(message: Message | Encoded): void {
    // The deadline may have answered already; then the handler came too late.
    if (this.phase === "answered") return;
    try {
      const bytes = this.codec.encode(this.method.output, message);
      this.responseBytes = bytes.byteLength;
      const compression = this.compression.response;
      if (compression && bytes.byteLength >= this.path.limits.compressMinBytes)
        compression.compress(bytes).then(
          (compressed) => this.#send(compressed, compression.name),
          (error: unknown) => this.fail(error),
        );
      else this.#send(bytes, undefined);
    } catch (error) {
      this.fail(error);
    }
  }

  #send(bytes: Uint8Array, encoding: string | undefined): void {
    if (this.phase === "answered") return;
    this.responseMessages = 1;
    try {
      this.wire.protocol.answer(this, bytes, encoding);
    } catch (error) {
      // A header that Node refuses, say: better no answer than half of one.
      this.carrier.reset("INTERNAL_ERROR");
      this.decided(finishError(error, this.requestId));
      return;
    }
    this.decided(undefined);
  }
}
