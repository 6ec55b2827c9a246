import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import {
  type ConformancePayload,
  ConformancePayloadSchema,
  type ConformanceService,
  IdempotentUnaryRequestSchema,
  IdempotentUnaryResponseSchema,
  type ServerStreamRequest,
  ServerStreamRequestSchema,
  type ServerStreamResponse,
  ServerStreamResponseSchema,
  type StreamResponseDefinition,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
  UnaryResponseSchema,
} from "../../.cache/conformance/gen/connectrpc/conformance/v1/service_pb.ts";
import type { Call } from "../../src/rpc/call.ts";
import type { ResponseStream, ServiceHandlers } from "../../src/rpc/handler.ts";
import { type Observed, requestInfo, setAll, toConnectError } from "./definition.ts";
import { observedBy } from "./tap.ts";

/** The unary and server-streaming methods of the conformance service as handlers of the gateway's own signature. */
export const conformanceHandlers: ServiceHandlers<typeof ConformanceService> = {
  unary: async (request, call) => {
    const echo = anyPack(UnaryRequestSchema, request);
    return create(UnaryResponseSchema, { payload: await answer(request.responseDefinition, echo, call) });
  },
  idempotentUnary: async (request, call) => {
    const echo = anyPack(IdempotentUnaryRequestSchema, request);
    return create(IdempotentUnaryResponseSchema, {
      payload: await answer(request.responseDefinition, echo, call),
    });
  },
  serverStream: (request, call) => new ScriptedStream(request, call),
};

async function answer(
  definition: UnaryResponseDefinition | undefined,
  request: Any,
  call: Call,
): Promise<ConformancePayload> {
  setAll(call.responseHeader, definition?.responseHeaders);
  setAll(call.responseTrailer, definition?.responseTrailers);
  const info = requestInfo(observedBy(call), [request]);
  const delayMs = definition?.responseDelayMs ?? 0;
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  if (definition?.response.case === "error") throw toConnectError(definition.response.value, info);
  return create(ConformancePayloadSchema, {
    requestInfo: info,
    ...(definition?.response.case === "responseData" && { data: definition.response.value }),
  });
}

/** Sends the messages of a test case, each after its delay. */
class ScriptedStream implements ResponseStream<ServerStreamResponse> {
  end: { readonly error?: ConnectError } | undefined;
  readonly #definition: StreamResponseDefinition | undefined;
  readonly #observed: Observed;
  readonly #request: Any;
  #next = 0;
  #due = false;
  #timer: NodeJS.Timeout | undefined;
  #wake = () => {};

  constructor(request: ServerStreamRequest, call: Call) {
    this.#definition = request.responseDefinition;
    this.#observed = observedBy(call);
    this.#request = anyPack(ServerStreamRequestSchema, request);
    setAll(call.responseHeader, this.#definition?.responseHeaders);
    setAll(call.responseTrailer, this.#definition?.responseTrailers);
  }

  open(wake: () => void): void {
    this.#wake = wake;
    this.#schedule();
  }

  pull(): ServerStreamResponse | undefined {
    if (!this.#due) return undefined;
    this.#due = false;
    const first = this.#next === 0;
    const payload = create(ConformancePayloadSchema, {
      data: this.#definition?.responseData[this.#next++] ?? new Uint8Array(),
      ...(first && { requestInfo: requestInfo(this.#observed, [this.#request]) }),
    });
    this.#schedule();
    return create(ServerStreamResponseSchema, { payload });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    const { responseData = [], responseDelayMs = 0, error } = this.#definition ?? {};
    if (this.#next < responseData.length) {
      if (responseDelayMs === 0) this.#due = true;
      else
        this.#timer = setTimeout(() => {
          this.#due = true;
          this.#wake();
        }, responseDelayMs);
      return;
    }
    const info = this.#next === 0 ? requestInfo(this.#observed, [this.#request]) : undefined;
    this.end = error ? { error: toConnectError(error, info) } : {};
  }
}
