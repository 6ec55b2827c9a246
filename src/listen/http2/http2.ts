import type { Carrier, CarrierContext } from "../carrier.ts";
import type { App } from "../transport.ts";
import { Http2Session } from "./session.ts";
import { SessionWatch } from "./session-watch.ts";
import { Turn } from "./turn.ts";

/** HTTP/2 of our own, over sockets alone: half the cost of `node:http2`, and limits of its own choice. */
export function ownHttp2(app: App, carrier: CarrierContext): Carrier {
  const { limits, clock, departure } = carrier;
  const watch = new SessionWatch(clock, limits, departure);
  const turn = new Turn(clock);
  const context = { ...carrier, app, turn, closed: (session: Http2Session) => watch.delete(session) };
  return {
    accept: (socket) => watch.add(new Http2Session(socket, context)),
    retire: () => watch.retire(),
    // Each session was asked by GOAWAY, and closes itself after its last stream.
    closeIdle() {},
    close() {
      watch.stop();
      for (const session of watch.sessions) session.destroy();
    },
  };
}
