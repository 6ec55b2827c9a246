import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { finishError, REQUEST_ID_HEADER } from "../errors/fit.ts";
import { gatewayError } from "../errors/reasons.ts";
import { isAuthority } from "../lib/authority.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { RequestIds } from "../lib/request-ids.ts";
import { TimerWheel } from "../lib/timer-wheel.ts";
import type { App, Receiver, TransportCall } from "../listen/transport.ts";

import { createJsonCodec, protoCodec } from "./codec.ts";
import { COMPRESS_MIN_BYTES } from "./compression.ts";
import { readGetRequest } from "./connect/request.ts";
import { ConnectEsExchange } from "./connect-es/exchange.ts";
import { type ConnectEsRoutes, connectEsRoutes } from "./connect-es/routes.ts";
import { CONNECT_UNARY, findWire, type Wire } from "./content-type.ts";
import { CorsCall } from "./cors/cors-call.ts";
import { type CorsPolicy, judgeOrigin } from "./cors/policy.ts";
import type { ServerStreamHandler, ServiceDefinition, UnaryHandler } from "./handler.ts";
import {
  BAD_AUTHORITY,
  BAD_GET_ENCODING,
  badContentType,
  type HttpRefusal,
  NO_SUCH_PATH,
  NOT_A_POST,
  ORIGIN_DENIED,
} from "./http-refusal.ts";
import { requestIdOf } from "./request-id.ts";
import type { CallLimits, Path, Query } from "./rpc-call.ts";
import { ServerStreamCall } from "./server-stream.ts";
import type { Stages } from "./stages.ts";
import { UnaryCall } from "./unary.ts";

/** How the calls of a router are read and answered. */
export interface RouterOptions {
  /** Knows the types that may stand in an Any of a JSON request or answer. */
  readonly registry: Registry;
  /** Where other stages hook in. Default: none does. */
  readonly stages?: Stages;
  /** Which web pages may call. Default: the `Origin` of a request says nothing. */
  readonly cors?: CorsPolicy;
  /** What is served beside the RPCs, by exact path: probes, say. They see no stage. */
  readonly pages?: ReadonlyMap<string, App>;
  /** Default: the clock of the machine. */
  readonly clock?: Clock;
  /** Largest request message, before and after inflation, in bytes. Default {@link REQUEST_MESSAGE_BYTES}. */
  readonly requestMessageBytes?: number;
  /** How long a request may take to arrive, in milliseconds. Default {@link REQUEST_ARRIVAL_MS}. */
  readonly requestArrivalMs?: number;
  /** How long the caller of a bidirectional stream may send nothing, in milliseconds. Default {@link STREAM_IDLE_MS}. */
  readonly streamIdleMs?: number;
  /** How long a caller may leave an answer lying, in milliseconds. Default {@link ANSWER_STALL_MS}. */
  readonly answerStallMs?: number;
  /** How many bytes of answers may wait for their callers. Default {@link UNSENT_BYTES}. */
  readonly unsentBytes?: number;
  /** The smallest answer that is compressed, in bytes. Default {@link COMPRESS_MIN_BYTES}. */
  readonly compressMinBytes?: number;
  /** Methods that go through connect-es' handlers from the start: client streams, bidirectional streams. */
  readonly routes?: ConnectEsRoutes;
  /** Told of each server stream that has ended, unless {@link Router.endStreams} ended it. */
  readonly streamEnded?: () => void;
  /** Sends everything through connect-es' handlers: a switch for tests, which lets the two ways prove each other. */
  readonly allThroughConnectEs?: boolean;
}

/** Largest request message: the requests of this API are a name and a few fields, and 16 KiB hold any of them. */
export const REQUEST_MESSAGE_BYTES = 16_384;

/**
 * In how many pieces a request may arrive. Each costs as much as a small call, whatever is in it; a client that sends
 * 16 KiB in pieces of 64 bytes means harm, and is reset before it has sent them.
 */
export const REQUEST_PIECES = 256;

/** How long a request may take to arrive: its few bytes come in the packet after its headers, or something is wrong. */
export const REQUEST_ARRIVAL_MS = 5_000;

/**
 * How long the caller of a bidirectional stream may send nothing: reflection, the only such method, is asked in bursts,
 * and who keeps its stream for later (grpcurl does) opens a new one without a word.
 */
export const STREAM_IDLE_MS = 60_000;

/**
 * How long a caller may leave an answer lying: long enough for the largest answer on a slow line (4 MiB at 2 Mbit/s),
 * short enough that callers who never read cannot fill the memory.
 */
export const ANSWER_STALL_MS = 30_000;

/** How many bytes of answers may wait for their callers: a quarter of the memory that a small container has. */
export const UNSENT_BYTES = 128 * 2 ** 20;

/** The app of the RPC path, and its handle for who stops it. */
export interface Router extends App {
  /** How many calls are not answered yet, connect-es' own ones left out. */
  readonly openCalls: number;
  /** Ends all streams, and server streams that are opened from now on, each with an error of its own. */
  endStreams(why: () => ConnectError): void;
  /** Answers each unary call that is open with an error of its own, and stops the work for it. */
  endCalls(why: () => ConnectError): void;
}

/** A method of the path, with its handler if it has one. */
interface Route {
  readonly method: DescMethod;
  readonly handler: UnaryHandler | ServerStreamHandler | undefined;
}

/** Takes each call to the handler of its method, `POST /package.Service/Method`. */
export function createRouter(services: readonly ServiceDefinition[], options: RouterOptions): Router {
  const path = createPath(options);
  const direct = connectEsRoutes(options.allThroughConnectEs ? services : [], {
    registry: options.registry,
    requestMessageBytes: path.limits.requestMessageBytes,
    arrivalMs: path.limits.requestArrivalMs,
    idleMs: options.streamIdleMs ?? STREAM_IDLE_MS,
    routes: options.routes,
    clock: path.clock,
    wheel: path.wheel,
    requestIds: path.requestIds,
  });
  const routes = new Map<string, Route>();
  const serviceNames = new Set<string>();
  for (const { service, handlers } of services) {
    serviceNames.add(service.typeName);
    for (const method of service.methods)
      routes.set(`/${service.typeName}/${method.name}`, { method, handler: handlers[method.localName] });
  }
  const { cors } = options;
  const router = (carrier: TransportCall): void => {
    const verdict = cors && judgeOrigin(cors, carrier.verb, carrier.headers);
    if (verdict === undefined) route(carrier);
    else if (verdict.kind === "served") route(new CorsCall(carrier, verdict.headers));
    else if (verdict.kind === "preflight") {
      carrier.receive(IGNORE);
      carrier.answer(204, verdict.headers);
    } else denyOrigin(path, carrier);
  };
  const route = (carrier: TransportCall): void => {
    const query = carrier.target.indexOf("?");
    const target = query < 0 ? carrier.target : carrier.target.slice(0, query);
    const other = direct.get(target);
    const found = routes.get(target);
    const serviceKnown = found !== undefined || other !== undefined || serviceNames.has(serviceOf(target));
    const page = serviceKnown ? undefined : options.pages?.get(target);
    if (page) page(carrier);
    else if (!serviceKnown) refuse(path, carrier, NO_SUCH_PATH);
    else if (!isAuthority(carrier.authority)) refuse(path, carrier, BAD_AUTHORITY);
    else if (other) other(carrier);
    else if (carrier.verb === "GET" && found)
      get(path, carrier, found, query < 0 ? "" : carrier.target.slice(query));
    else if (carrier.verb !== "POST") refuse(path, carrier, NOT_A_POST);
    else post(path, carrier, found, target);
  };
  const endStreams = (why: () => ConnectError): void => {
    path.refuseStreams = why;
    for (const stream of [...path.streams]) stream.end(why());
    for (const open of path.wheel.entries()) if (open instanceof ConnectEsExchange) open.end(why());
  };
  const endCalls = (why: () => ConnectError): void => {
    for (const open of [...path.wheel.entries(), ...path.unbounded])
      if (open instanceof UnaryCall) open.end(why());
  };
  Object.defineProperty(router, "openCalls", { get: () => path.openCalls });
  // The line above has added what Object.assign would only copy the value of.
  return Object.assign(router, { endStreams, endCalls }) as Router;
}

function createPath(options: RouterOptions): Path {
  const clock = options.clock ?? systemClock;
  const limits: CallLimits = {
    requestMessageBytes: options.requestMessageBytes ?? REQUEST_MESSAGE_BYTES,
    requestPieces: REQUEST_PIECES,
    requestArrivalMs: options.requestArrivalMs ?? REQUEST_ARRIVAL_MS,
    answerStallMs: options.answerStallMs ?? ANSWER_STALL_MS,
    unsentBytes: options.unsentBytes ?? UNSENT_BYTES,
    compressMinBytes: options.compressMinBytes ?? COMPRESS_MIN_BYTES,
  };
  return {
    clock,
    wheel: new TimerWheel(clock),
    requestIds: new RequestIds(crypto.randomUUID()),
    codecs: { proto: protoCodec, json: createJsonCodec(options.registry) },
    registry: options.registry,
    stages: options.stages ?? {},
    limits,
    openCalls: 0,
    unsentBytes: 0,
    streams: new Set(),
    unbounded: new Set(),
    streamEnded: options.streamEnded,
  };
}

function post(path: Path, carrier: TransportCall, route: Route | undefined, target: string): void {
  const wire = findWire(carrier.headers["content-type"]);
  if (!wire || (route && !serves(wire, route.method))) refuse(path, carrier, badContentType(route?.method));
  else if (!route?.handler) unimplemented(path, carrier, wire, target);
  else open(path, carrier, route, wire, undefined);
}

/** https://connectrpc.com/docs/protocol#unary-get-request: for methods that are declared free of side effects. */
function get(path: Path, carrier: TransportCall, route: Route, query: string): void {
  const { method } = route;
  if (
    method.methodKind !== "unary" ||
    method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
  ) {
    refuse(path, carrier, NOT_A_POST);
    return;
  }
  const request = readGetRequest(query);
  const wire = request.codec && CONNECT_UNARY[request.codec];
  if (!wire) refuse(path, carrier, BAD_GET_ENCODING);
  else if (!route.handler) unimplemented(path, carrier, wire, carrier.target.split("?", 1)[0] ?? "");
  else open(path, carrier, route, wire, request);
}

function open(path: Path, carrier: TransportCall, route: Route, wire: Wire, query: Query | undefined): void {
  const { method, handler } = route;
  if (path.refuseStreams && method.methodKind !== "unary") {
    failUnopened(path, carrier, wire, path.refuseStreams());
    return;
  }
  // The kind of the method has told which of the two its handler is.
  const call =
    method.methodKind === "unary"
      ? new UnaryCall(path, carrier, method, wire, query, handler as UnaryHandler)
      : new ServerStreamCall(path, carrier, method, wire, query, handler as ServerStreamHandler);
  call.start();
}

function serves(wire: Wire, method: DescMethod): boolean {
  return wire.serves === "all" || (wire.serves === "unary") === (method.methodKind === "unary");
}

/** A method that is not there is answered in the caller's protocol. */
function unimplemented(path: Path, carrier: TransportCall, wire: Wire, target: string): void {
  failUnopened(path, carrier, wire, gatewayError("METHOD_UNKNOWN", `${target.slice(1)} is not served`));
}

/** Answers with an error in the protocol of a call that was never opened. */
function failUnopened(path: Path, carrier: TransportCall, wire: Wire, why: ConnectError): void {
  const { protocol, contentType } = wire;
  const requestId = requestIdOf(carrier.headers[REQUEST_ID_HEADER], path.requestIds);
  const finished = finishError(why, requestId);
  const error = path.stages.amendError?.(finished) ?? finished;
  carrier.receive(IGNORE);
  protocol.fail({ carrier, contentType, registry: path.registry }, error);
  path.stages.refused?.(carrier, error, requestId);
}

/** A page that may not call is told so in its protocol, without the headers that would let it read that. */
function denyOrigin(path: Path, carrier: TransportCall): void {
  const wire = carrier.verb === "POST" ? findWire(carrier.headers["content-type"]) : undefined;
  if (!wire) {
    refuse(path, carrier, ORIGIN_DENIED);
    return;
  }
  const error = gatewayError(
    "ORIGIN_NOT_ALLOWED",
    "web pages of this origin may not call the gateway; list it in cors.allowed_origins if they should",
  );
  failUnopened(path, carrier, wire, error);
}

/** What is no RPC yet is answered in HTTP. */
function refuse(path: Path, carrier: TransportCall, why: HttpRefusal): void {
  const requestId = requestIdOf(carrier.headers[REQUEST_ID_HEADER], path.requestIds);
  const headers = { ...why.headers, [REQUEST_ID_HEADER]: requestId };
  carrier.receive(IGNORE);
  carrier.answer(why.httpStatus, headers, carrier.verb === "HEAD" ? undefined : why.body);
  path.stages.refused?.(carrier, why, requestId);
}

/** Takes the rest of a request that is answered already. */
const IGNORE: Receiver = { data() {}, complete() {}, drained() {}, closed() {} };

function serviceOf(target: string): string {
  return target.slice(1, Math.max(target.lastIndexOf("/"), 1));
}
