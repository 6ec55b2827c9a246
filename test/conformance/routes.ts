import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type BidiStreamRequest,
  BidiStreamRequestSchema,
  type BidiStreamResponse,
  BidiStreamResponseSchema,
  type ClientStreamRequest,
  ClientStreamRequestSchema,
  type ClientStreamResponse,
  ClientStreamResponseSchema,
  ConformancePayloadSchema,
  ConformanceService,
} from "../../.cache/conformance/gen/connectrpc/conformance/v1/service_pb.ts";
import type { ConnectEsRoutes } from "../../src/rpc/connect-es/routes.ts";
import { type Observed, requestInfo, setAll, toConnectError } from "./definition.ts";

/** The client-streaming and bidirectional methods, which connect-es carries. */
export const conformanceRoutes: ConnectEsRoutes = {
  methods: [ConformanceService.method.clientStream, ConformanceService.method.bidiStream],
  register(router) {
    router.rpc(ConformanceService.method.clientStream, clientStream);
    router.rpc(ConformanceService.method.bidiStream, bidiStream);
  },
};

async function clientStream(
  requests: AsyncIterable<ClientStreamRequest>,
  context: HandlerContext,
): Promise<ClientStreamResponse> {
  const received: ClientStreamRequest[] = [];
  for await (const request of requests) received.push(request);
  const definition = received[0]?.responseDefinition;
  setAll(context.responseHeader, definition?.responseHeaders);
  setAll(context.responseTrailer, definition?.responseTrailers);
  const echo = received.map((request) => anyPack(ClientStreamRequestSchema, request));
  const info = requestInfo(observedIn(context), echo);
  await sleep(definition?.responseDelayMs);
  if (definition?.response.case === "error") throw toConnectError(definition.response.value, info);
  const payload = create(ConformancePayloadSchema, {
    requestInfo: info,
    ...(definition?.response.case === "responseData" && { data: definition.response.value }),
  });
  return create(ClientStreamResponseSchema, { payload });
}

async function* bidiStream(
  requests: AsyncIterable<BidiStreamRequest>,
  context: HandlerContext,
): AsyncGenerator<BidiStreamResponse> {
  let first: BidiStreamRequest | undefined;
  let unechoed: Any[] = [];
  let sent = 0;
  const respond = async () => {
    await sleep(first?.responseDefinition?.responseDelayMs);
    const payload = create(ConformancePayloadSchema, {
      data: first?.responseDefinition?.responseData[sent++] ?? new Uint8Array(),
      ...(unechoed.length > 0 && { requestInfo: requestInfo(observedIn(context), unechoed) }),
    });
    unechoed = [];
    return create(BidiStreamResponseSchema, { payload });
  };
  const toSend = () => first?.responseDefinition?.responseData.length ?? 0;
  for await (const request of requests) {
    if (!first) {
      first = request;
      setAll(context.responseHeader, first.responseDefinition?.responseHeaders);
      setAll(context.responseTrailer, first.responseDefinition?.responseTrailers);
    }
    unechoed.push(anyPack(BidiStreamRequestSchema, request));
    if (!first.fullDuplex) continue;
    if (sent >= toSend()) break;
    yield await respond();
  }
  while (sent < toSend()) yield await respond();
  const error = first?.responseDefinition?.error;
  if (error) throw toConnectError(error, sent === 0 ? requestInfo(observedIn(context), unechoed) : undefined);
}

function observedIn(context: HandlerContext): Observed {
  return { headers: context.requestHeader, timeoutMs: context.timeoutMs(), query: undefined };
}

async function sleep(delayMs: number | undefined): Promise<void> {
  if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs));
}
