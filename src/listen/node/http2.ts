import { createServer } from "node:http2";
import type { Carrier, CarrierContext } from "../carrier.ts";
import type { App } from "../transport.ts";
import { acceptHttp2Stream } from "./http2-call.ts";
import { SessionWatch } from "./session-watch.ts";

/** HTTP/2 over `node:http2`. */
export function nodeHttp2(app: App, { limits, clock, departure }: CarrierContext): Carrier {
  const watch = new SessionWatch(clock, limits, departure);
  const server = createServer({
    maxSessionMemory: limits.sessionMemoryMiB,
    maxHeaderListPairs: limits.headerFields,
    streamResetBurst: limits.resetBurst,
    streamResetRate: limits.resetsPerSecond,
    settings: {
      maxConcurrentStreams: limits.streamsPerSession,
      maxHeaderListSize: limits.headerListBytes,
      enablePush: false,
    },
  });
  server.on("session", (session) => {
    session.on("error", doNothing);
    watch.add(session);
  });
  server.on("stream", acceptHttp2Stream(app, watch));
  server.on("sessionError", doNothing);
  return {
    accept: (socket) => void server.emit("connection", socket),
    retire: () => watch.retire(),
    // Each session was asked by GOAWAY, and closes itself after its last stream.
    closeIdle: doNothing,
    close() {
      for (const session of watch.sessions) session.destroy();
    },
  };
}

function doNothing(): void {}
