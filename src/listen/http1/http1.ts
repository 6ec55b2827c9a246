import { TurnEnd } from "../../lib/turn-end.ts";
import type { Carrier, CarrierContext } from "../carrier.ts";
import { Rounds } from "../rounds.ts";
import type { App } from "../transport.ts";
import { Http1Connection } from "./connection.ts";
import { ConnectionFields } from "./connection-fields.ts";

/** How often connections are looked at for those that take too long, and so how late that may be seen. */
const SWEEP_MS = 250;

/**
 * HTTP/1.1 of our own, RFC 9112: `node:http` makes two streams and twenty objects of a request, and costs more than all
 * else that the gateway does with a small one. It takes less than `node:http` does, and nothing that it would not take.
 */
export function ownHttp1(app: App, context: CarrierContext): Carrier {
  const { clock, limits } = context;
  const connections = new Set<Http1Connection>();
  const fields = new ConnectionFields(clock, limits);
  const shared = { ...context, app, connections, fields, turnEnd: new TurnEnd() };
  const sweeps = new Rounds(clock, SWEEP_MS, (now) => {
    for (const connection of connections) connection.sweep(now);
    return connections.size > 0;
  });
  return {
    accept(socket) {
      if (socket.destroyed) return;
      new Http1Connection(socket, shared);
      sweeps.start();
    },
    // Told with the next answer, or closed while idle: HTTP/1.1 has no other way to ask.
    retire() {},
    closeIdle() {
      for (const connection of connections) connection.cutIdle();
    },
    close() {
      for (const connection of connections) connection.cut();
      sweeps.stop();
    },
  };
}
