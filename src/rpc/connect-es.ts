import type { DescMethod, DescService, Message, Registry } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { finishError } from "../errors/fit.ts";
import { gatewayError } from "../errors/reasons.ts";
import { isEncoded } from "../lib/encoded.ts";
import type { App, Receiver, RequestHeaders, ResponseHeaders, TransportCall } from "../listen/transport.ts";
import { parseConnectTimeout } from "./connect/timeout.ts";
import { ContextCall, peerKey } from "./connect-es-call.ts";
import { parseGrpcTimeout } from "./grpc/timeout.ts";
import type { ResponseStream, ServerStreamHandler, ServiceDefinition, UnaryHandler } from "./handler.ts";
import { TIMEOUT_MAX_MS } from "./protocol.ts";

/** What {@link connectEsRoutes} needs to know. */
export interface ConnectEsOptions {
  /** Knows the types that may stand in an Any of a JSON request or answer. */
  readonly registry: Registry;
  /** Largest request message after inflation, in bytes. */
  readonly requestMessageBytes: number;
  /** Methods that are connect-es' own way from the start (client streams, bidirectional streams). */
  readonly routes?: (router: ConnectRouter) => void;
}

/**
 * Serves methods through connect-es' universal handlers, by path. The adapter is our own: connect-node's can be
 * killed by one malformed authority, reports to the console only, and does not send Trailers-Only.
 */
export function connectEsRoutes(
  services: readonly ServiceDefinition[],
  options: ConnectEsOptions,
): Map<string, App> {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: options.requestMessageBytes,
    jsonOptions: { registry: options.registry },
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
  options.routes?.(router);
  return new Map(
    router.handlers.map((handler) => [handler.requestPath, (call) => void serve(handler, call)]),
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
    throw finishError(error);
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
    throw finishError(error);
  } finally {
    call.handOverMetadata();
    if (source && !source.end)
      source.close(call.ended ?? gatewayError("CALLER_GONE", "the caller went away"));
  }
}

async function serve(handler: UniversalHandler, call: TransportCall): Promise<void> {
  const abort = new AbortController();
  const exchange = new Exchange(abort);
  call.receive(exchange);
  exchange.call = call;
  try {
    const response = await handler({
      httpVersion: call.httpVersion,
      url: `${call.secure ? "https" : "http"}://${call.authority}${call.target}`,
      method: call.verb,
      header: toHeaders(call.headers),
      body: exchange.body(),
      signal: abort.signal,
      contextValues: createContextValues().set(peerKey, call.peer),
    });
    const { methodKind } = handler.method;
    const streams = methodKind === "server_streaming" || methodKind === "bidi_streaming";
    await writeResponse(response, call, exchange, streams);
  } catch {
    if (exchange.begun) call.reset("INTERNAL_ERROR");
    else call.answer(abort.signal.aborted ? 499 : 400, {});
  }
}

/** What connect-es itself puts into the header block of a gRPC answer. */
const GRPC_HEADERS = new Set(["content-type", "grpc-encoding", "grpc-accept-encoding"]);

async function writeResponse(
  response: UniversalServerResponse,
  call: TransportCall,
  exchange: Exchange,
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
    exchange.answered = true;
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
  exchange: Exchange,
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

/** How much of a request body waits for its reader before the carrier is told to wait. */
const BODY_BUFFER_BYTES = 65_536;

/** After so many pieces of a body, they must have so many bytes on average: each costs as much as a small call. */
const PIECES_FREE = 1_024;
const PIECE_BYTES = 16;

/** The request body as connect-es reads it, and what else the carrier tells. */
class Exchange implements Receiver {
  call: TransportCall | undefined;
  begun = false;
  /** The answer is complete: what still arrives is only read away. */
  answered = false;
  readonly #abort: AbortController;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #pieces = 0;
  #arrivedBytes = 0;
  #end: "open" | "complete" | "cut" = "open";
  #arrived = Promise.withResolvers<void>();
  #drained = Promise.withResolvers<void>();

  constructor(abort: AbortController) {
    this.#abort = abort;
  }

  data(chunk: Uint8Array): void {
    if (this.answered) return;
    this.#arrivedBytes += chunk.byteLength;
    if (++this.#pieces > PIECES_FREE && this.#arrivedBytes < this.#pieces * PIECE_BYTES)
      this.call?.reset("ENHANCE_YOUR_CALM");
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes > BODY_BUFFER_BYTES) this.call?.pause();
    this.#arrived.resolve();
  }

  complete(): void {
    if (this.#end === "open") this.#end = "complete";
    this.#arrived.resolve();
  }

  drained(): void {
    this.#drained.resolve();
  }

  closed(answered: boolean): void {
    if (this.#end === "open") this.#end = "cut";
    this.#arrived.resolve();
    this.#drained.resolve();
    if (!answered) this.#abort.abort(gatewayError("CALLER_GONE", "the caller went away"));
  }

  writable(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.resolve();
    this.#drained = Promise.withResolvers();
    return this.#drained.promise;
  }

  /** What has arrived since the last time as one piece: connect-es adds all its pieces up on each new one. */
  async *body(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#chunks.length > 0) {
        const piece = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
        this.#chunks = [];
        this.#bytes = 0;
        this.call?.resume();
        if (piece) yield piece;
      } else if (this.#end === "complete") return;
      else if (this.#end === "cut") throw gatewayError("CALLER_GONE", "the caller went away");
      else {
        this.#arrived = Promise.withResolvers();
        await this.#arrived.promise;
      }
    }
  }
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
