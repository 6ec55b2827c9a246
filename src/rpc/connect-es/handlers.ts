import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import {
  createConnectRouter,
  createContextValues,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { finishError, REQUEST_ID_HEADER } from "../../errors/fit.ts";
import { gatewayError } from "../../errors/reasons.ts";
import { isEncoded } from "../../lib/encoded.ts";
import type { RequestIds } from "../../lib/request-ids.ts";
import type { RequestHeaders, ResponseHeaders, TransportCall } from "../../listen/transport.ts";
import { parseConnectTimeout } from "../connect/timeout.ts";
import { parseGrpcTimeout } from "../grpc/timeout.ts";
import type { ResponseStream, ServerStreamHandler, ServiceDefinition, UnaryHandler } from "../handler.ts";
import type { Path } from "../path.ts";
import { TIMEOUT_MAX_MS } from "../protocol.ts";
import { requestIdOf } from "../request-id.ts";
import { ContextCall, peerKey, requestIdKey } from "./context-call.ts";
import type { ConnectEsExchange } from "./exchange.ts";
import type { ConnectEsRoutes } from "./routes.ts";

/** Answers a call of one method; the exchange has been its receiver from the beginning. */
export type ConnectEsHandler = (call: TransportCall, exchange: ConnectEsExchange) => void;

/**
 * Serves methods through connect-es' universal handlers, by path. The adapter is our own: connect-node's can be
 * killed by one malformed authority, reports to the console only, and does not send Trailers-Only.
 */
export function connectEsHandlers(
  services: readonly ServiceDefinition[],
  routes: ConnectEsRoutes | undefined,
  path: Path,
): Map<string, ConnectEsHandler> {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: path.limits.requestMessageBytes,
    jsonOptions: { registry: path.registry },
  });
  for (const { service, handlers } of services) {
    const implementation: Record<string, unknown> = {};
    for (const method of service.methods) {
      const handler = handlers[method.localName];
      if (handler) implementation[method.localName] = implement(method, handler);
    }
    // The kinds of the methods have told which implementation each one takes; a generic descriptor has no types.
    router.service(service, implementation as Partial<ServiceImpl<DescService>>);
  }
  routes?.register(router);
  return new Map(
    router.handlers.map((handler) => [
      handler.requestPath,
      (call, exchange) => void serve(handler, path.requestIds, call, exchange),
    ]),
  );
}

/** Our handler signature as connect-es' one. */
function implement(method: DescMethod, handler: UnaryHandler | ServerStreamHandler): unknown {
  if (method.methodKind === "unary") {
    // The kind of the method has told which of the two the handler is.
    const unary = handler as UnaryHandler;
    return (request: Message, context: HandlerContext) => runUnary(unary, request, context);
  }
  const stream = handler as ServerStreamHandler;
  return (request: Message, context: HandlerContext) => runStream(stream, request, context);
}

async function runUnary(handler: UnaryHandler, request: Message, context: HandlerContext): Promise<Message> {
  const call = new ContextCall(context);
  try {
    if (call.ended) throw call.ended;
    // connect-es only tells the handler about the deadline; a handler that does not listen is left behind here.
    const answer = await Promise.race([handler(request, call), call.whenEnded()]);
    return isEncoded(answer) ? answer.toMessage() : answer;
  } catch (error) {
    // Well-formed, or connect-es' encodeURIComponent throws and no trailers are sent at all.
    throw finishError(error, call.requestId);
  } finally {
    call.handOverMetadata();
  }
}

async function* runStream(
  handler: ServerStreamHandler,
  request: Message,
  context: HandlerContext,
): AsyncGenerator<Message> {
  const call = new ContextCall(context);
  let wake = Promise.withResolvers<void>();
  let source: ResponseStream | undefined;
  try {
    if (call.ended) throw call.ended;
    source = handler(request, call);
    source.open(() => wake.resolve());
    for (;;) {
      const message = source.pull();
      call.handOverMetadata();
      if (message) {
        yield isEncoded(message) ? message.toMessage() : message;
        continue;
      }
      if (source.end?.error) throw source.end.error;
      if (source.end) return;
      await Promise.race([wake.promise, call.whenEnded()]);
      wake = Promise.withResolvers();
    }
  } catch (error) {
    // Well-formed, or connect-es' encodeURIComponent throws and no trailers are sent at all.
    throw finishError(error, call.requestId);
  } finally {
    call.handOverMetadata();
    if (source && !source.end)
      source.close(call.ended ?? gatewayError("CALLER_GONE", "the caller went away"));
  }
}

async function serve(
  handler: UniversalHandler,
  requestIds: RequestIds,
  call: TransportCall,
  exchange: ConnectEsExchange,
): Promise<void> {
  try {
    const response = await handler({
      httpVersion: call.httpVersion,
      url: `${call.secure ? "https" : "http"}://${call.authority}${call.target}`,
      method: call.verb,
      header: toHeaders(call.headers),
      body: exchange.body(),
      signal: exchange.signal,
      contextValues: createContextValues()
        .set(peerKey, call.peer)
        .set(requestIdKey, requestIdOf(call.headers[REQUEST_ID_HEADER], requestIds)),
    });
    const { methodKind } = handler.method;
    const streams = methodKind === "server_streaming" || methodKind === "bidi_streaming";
    await writeResponse(response, call, exchange, streams);
  } catch {
    if (exchange.begun) call.reset("INTERNAL_ERROR");
    else call.answer(exchange.signal.aborted ? 499 : 400, {});
  }
}

/** What connect-es itself puts into the header block of a gRPC answer. */
const GRPC_HEADERS = new Set(["content-type", "grpc-encoding", "grpc-accept-encoding"]);

async function writeResponse(
  response: UniversalServerResponse,
  call: TransportCall,
  exchange: ConnectEsExchange,
  streams: boolean,
): Promise<void> {
  const body = response.body?.[Symbol.asyncIterator]();
  try {
    const first = await body?.next();
    if (!body || !first || first.done) answerWithoutBody(response, call);
    else if (streams) await writePieces(response, call, exchange, first, body);
    else {
      const pieces = [first.value];
      for await (const piece of { [Symbol.asyncIterator]: () => body }) pieces.push(piece);
      call.answer(
        response.status,
        fromHeaders(response.header),
        Buffer.concat(pieces),
        response.trailer && fromHeaders(response.trailer),
      );
    }
  } finally {
    exchange.finish();
    await body?.return?.();
  }
}

/**
 * Nothing but status: headers and trailers are one block, which gRPC calls Trailers-Only. As on the lean path, leading
 * metadata makes two of it.
 */
function answerWithoutBody(response: UniversalServerResponse, call: TransportCall): void {
  const headers = fromHeaders(response.header);
  const trailers = response.trailer && fromHeaders(response.trailer);
  if (trailers && Object.keys(headers).some((name) => !GRPC_HEADERS.has(name)))
    call.answer(response.status, headers, undefined, trailers);
  else call.answer(response.status, { ...headers, ...trailers });
}

async function writePieces(
  response: UniversalServerResponse,
  call: TransportCall,
  exchange: ConnectEsExchange,
  first: IteratorResult<Uint8Array, unknown>,
  rest: AsyncIterator<Uint8Array>,
): Promise<void> {
  exchange.begun = true;
  call.begin(response.status, fromHeaders(response.header), response.trailer !== undefined);
  for (let chunk = first; !chunk.done; chunk = await rest.next()) {
    if (!call.write(chunk.value)) await exchange.writable();
  }
  // Read last: the trailers were set while the body was made.
  call.end(response.trailer && fromHeaders(response.trailer));
}

function toHeaders(from: RequestHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(from))
    if (value !== undefined && !name.startsWith(":")) headers.set(name, legalTimeout(name, value));
  return headers;
}

/**
 * connect-es takes a timeout that is longer than a timer of Node can count for 1 ms, and refuses one that has passed
 * already; here both are made into what they mean. What is malformed is left to it.
 */
function legalTimeout(name: string, value: string): string {
  const grpc = name === "grpc-timeout";
  if (!grpc && name !== "connect-timeout-ms") return value;
  const { ms } = grpc ? parseGrpcTimeout(value) : parseConnectTimeout(value);
  if (ms === undefined || (ms > 0 && ms < TIMEOUT_MAX_MS)) return value;
  if (ms <= 0) return grpc ? "0m" : "0";
  return grpc ? `${Math.floor(TIMEOUT_MAX_MS / 1_000)}S` : String(TIMEOUT_MAX_MS);
}

function fromHeaders(from: Headers | undefined): ResponseHeaders {
  return from ? Object.fromEntries(from) : {};
}
