import type { Registry } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import type { App } from "../listen/transport.ts";
import { isAuthority } from "./authority.ts";
import { connectEsRoutes } from "./connect-es.ts";
import type { ServiceDefinition } from "./handler.ts";

/** How the calls of a router are read and answered. */
export interface RouterOptions {
  /** Knows the types that may stand in an Any of a JSON request or answer. */
  readonly registry: Registry;
  /** Largest request message after inflation, in bytes. Default {@link REQUEST_MESSAGE_BYTES}. */
  readonly requestMessageBytes?: number;
  /** Registers methods as connect-es implementations: the way for client streams and bidirectional streams. */
  readonly routes?: (router: ConnectRouter) => void;
}

/** Largest request message: the requests of this API are a name and a few fields, and 16 KiB hold any of them. */
export const REQUEST_MESSAGE_BYTES = 16_384;

/** Takes each call to the handler of its method: `POST /package.Service/Method`. Any other path is answered 404. */
export function createRouter(services: readonly ServiceDefinition[], options: RouterOptions): App {
  const routes = connectEsRoutes(services, {
    registry: options.registry,
    requestMessageBytes: options.requestMessageBytes ?? REQUEST_MESSAGE_BYTES,
    ...(options.routes && { routes: options.routes }),
  });
  return (call) => {
    const query = call.target.indexOf("?");
    const route = routes.get(query < 0 ? call.target : call.target.slice(0, query));
    if (!route) call.answer(404, {});
    else if (!isAuthority(call.authority)) call.answer(400, {});
    else route(call);
  };
}
