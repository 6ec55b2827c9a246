import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import { isAuthority } from "../lib/authority.ts";
import type { App, TransportCall } from "../listen/transport.ts";
import { readGetRequest } from "./connect/request.ts";
import { ConnectEsExchange } from "./connect-es/exchange.ts";
import { type ConnectEsRoutes, connectEsRoutes } from "./connect-es/routes.ts";
import { CONNECT_UNARY, findWire, type Wire } from "./content-type.ts";
import { createCorsApp } from "./cors/cors-app.ts";
import type { CorsPolicy } from "./cors/policy.ts";
import type { ServerStreamHandler, ServiceDefinition, UnaryHandler } from "./handler.ts";
import { BAD_AUTHORITY, BAD_GET_ENCODING, badContentType, NO_SUCH_PATH, NOT_A_POST } from "./http-refusal.ts";
import { createPath, type Path, type PathOptions } from "./path.ts";
import type { Query } from "./protocol.ts";
import { ServerStreamCall } from "./server-stream.ts";
import { UnaryCall } from "./unary.ts";
import { failUnopened, refuse } from "./unopened.ts";

/** What a router serves beside the calls of its services, and how. */
export interface RouterOptions extends PathOptions {
  /** Which web pages may call. Default: the `Origin` of a request says nothing. */
  readonly cors?: CorsPolicy;
  /** What is served beside the RPCs, by exact path: probes, say. They see no stage. */
  readonly pages?: ReadonlyMap<string, App>;
  /** Methods that go through connect-es' handlers from the start: client streams, bidirectional streams. */
  readonly routes?: ConnectEsRoutes;
  /** Sends everything through connect-es' handlers: a switch for tests, which lets the two ways prove each other. */
  readonly allThroughConnectEs?: boolean;
}

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

/**
 * Takes each call to the handler of its method by its path, `/package.Service/Method`:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests (Path),
 * https://connectrpc.com/docs/protocol#unary-request (Routing-Prefix, which is empty here).
 */
export function createRouter(services: readonly ServiceDefinition[], options: RouterOptions): Router {
  const path = createPath(options);
  const direct = connectEsRoutes(options.allThroughConnectEs ? services : [], options.routes, path);
  const routes = new Map<string, Route>();
  const serviceNames = new Set<string>();
  for (const { service, handlers } of services) {
    serviceNames.add(service.typeName);
    for (const method of service.methods)
      routes.set(`/${service.typeName}/${method.name}`, { method, handler: handlers[method.localName] });
  }
  const route = (carrier: TransportCall): void => {
    const query = carrier.target.indexOf("?");
    const target = query < 0 ? carrier.target : carrier.target.slice(0, query);
    const other = direct.get(target);
    const found = routes.get(target);
    const serviceKnown = found !== undefined || other !== undefined || serviceNames.has(serviceOf(target));
    const page = serviceKnown ? undefined : options.pages?.get(target);
    if (page) page(carrier);
    else if (!serviceKnown) unknownService(path, carrier, target);
    else if (!isAuthority(carrier.authority)) refuse(path, carrier, BAD_AUTHORITY);
    else if (other) other(carrier);
    else if (carrier.verb === "GET" && found)
      get(path, carrier, found, query < 0 ? "" : carrier.target.slice(query));
    else if (carrier.verb !== "POST") refuse(path, carrier, NOT_A_POST);
    else post(path, carrier, found, target);
  };
  const app: App = options.cors ? createCorsApp(options.cors, path, route) : route;
  return Object.defineProperties(app, {
    openCalls: { get: () => path.openCalls },
    endStreams: { value: (why: () => ConnectError) => endStreams(path, why) },
    endCalls: { value: (why: () => ConnectError) => endCalls(path, why) },
  }) as Router;
}

function endStreams(path: Path, why: () => ConnectError): void {
  path.refuseStreams = why;
  for (const stream of [...path.streams]) stream.end(why());
  for (const open of path.wheel.entries()) if (open instanceof ConnectEsExchange) open.end(why());
}

function endCalls({ wheel, unbounded }: Path, why: () => ConnectError): void {
  for (const open of [...wheel.entries(), ...unbounded]) if (open instanceof UnaryCall) open.end(why());
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

/**
 * gRPC's callers are told in their protocol, as https://github.com/grpc/grpc/blob/master/doc/statuscodes.md has it, and
 * learn which service was meant; Connect's specification knows only HTTP 404.
 */
function unknownService(path: Path, carrier: TransportCall, target: string): void {
  const wire = carrier.verb === "POST" ? findWire(carrier.headers["content-type"]) : undefined;
  if (wire?.serves === "all" && isAuthority(carrier.authority)) unimplemented(path, carrier, wire, target);
  else refuse(path, carrier, NO_SUCH_PATH);
}

/** A method that is not there is answered in the caller's protocol. */
function unimplemented(path: Path, carrier: TransportCall, wire: Wire, target: string): void {
  failUnopened(path, carrier, wire, gatewayError("METHOD_UNKNOWN", `${target.slice(1)} is not served`));
}

function serviceOf(target: string): string {
  return target.slice(1, Math.max(target.lastIndexOf("/"), 1));
}
