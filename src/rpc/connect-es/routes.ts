import type { DescMethod, Registry } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import type { RequestIds } from "../../lib/request-ids.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { App } from "../../listen/transport.ts";
import type { ServiceDefinition } from "../handler.ts";
import { ConnectEsExchange, type ExchangeLimits } from "./exchange.ts";
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

/** What {@link connectEsRoutes} needs to know. */
export interface ConnectEsOptions extends ExchangeLimits {
  /** Knows the types that may stand in an Any of a JSON request or answer. */
  readonly registry: Registry;
  /** Largest request message after inflation, in bytes. */
  readonly requestMessageBytes: number;
  readonly routes?: ConnectEsRoutes | undefined;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly requestIds: RequestIds;
}

/**
 * The methods that connect-es serves, by path. connect-es' handlers are loaded by the first call of one: most processes
 * are never asked, and none should start later for it.
 */
export function connectEsRoutes(
  services: readonly ServiceDefinition[],
  options: ConnectEsOptions,
): Map<string, App> {
  let loading: Promise<Map<string, ConnectEsHandler>> | undefined;
  const load = async (): Promise<Map<string, ConnectEsHandler>> =>
    (await import("./handlers.ts")).connectEsHandlers(services, options);
  const { clock, wheel, routes } = options;
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
        const exchange = new ConnectEsExchange(
          call,
          wheel,
          options,
          () => clock.monotonic(),
          () => open--,
        );
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
