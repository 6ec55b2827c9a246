import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import type { App } from "../../listen/transport.ts";
import type { ServiceDefinition } from "../handler.ts";
import type { Path } from "../path.ts";
import { ConnectEsExchange } from "./exchange.ts";
import type { ConnectEsHandler } from "./handlers.ts";

/** Methods that are connect-es' own way from the start: client streams, bidirectional streams. */
export interface ConnectEsRoutes {
  readonly methods: readonly DescMethod[];
  /** Gives all of them to connect-es. */
  register(router: ConnectRouter): void;
}

/**
 * How many of these calls may be open at one time. Only reflection is served like this, which people ask by hand; what
 * connect-es holds for one is some 100 KiB, as long as its caller leaves the answer lying.
 */
const OPEN_CALLS_MAX = 1_000;

/**
 * The methods that connect-es serves, by path. connect-es' handlers are loaded by the first call of one: most processes
 * are never asked, and none should start later for it.
 */
export function connectEsRoutes(
  services: readonly ServiceDefinition[],
  routes: ConnectEsRoutes | undefined,
  shared: Path,
): Map<string, App> {
  let loading: Promise<Map<string, ConnectEsHandler>> | undefined;
  const load = async (): Promise<Map<string, ConnectEsHandler>> =>
    (await import("./handlers.ts")).connectEsHandlers(services, routes, shared);
  let open = 0;
  const methods = [...services.flatMap(({ service }) => service.methods), ...(routes?.methods ?? [])];
  return new Map(
    methods.map((method) => {
      const path = `/${method.parent.typeName}/${method.name}`;
      const app: App = (call) => {
        if (open >= OPEN_CALLS_MAX) {
          call.reset("REFUSED_STREAM");
          return;
        }
        open++;
        const exchange = new ConnectEsExchange(call, shared, () => open--);
        loading ??= load();
        loading.then(
          (handlers) => handlers.get(path)?.(call, exchange),
          // An installation that lacks files; the other methods are served all the same.
          () => call.reset("INTERNAL_ERROR"),
        );
      };
      return [path, app];
    }),
  );
}
