import { createServer } from "node:http";
import type { Carrier, CarrierContext } from "../carrier.ts";
import type { App } from "../transport.ts";
import { acceptHttp1Request, answerBrokenRequest } from "./http1-call.ts";

/** HTTP/1.1 over `node:http`. */
export function nodeHttp1(app: App, { limits, clock, departure }: CarrierContext): Carrier {
  const server = createServer(
    {
      maxHeaderSize: limits.headerListBytes,
      headersTimeout: limits.headersMs,
      // The RPC path answers a late body itself and sooner; this ends what never reached it.
      requestTimeout: 2 * limits.headersMs,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: limits.keepAliveMs,
      // Else Node keeps the first of two `authorization` or `content-type` lines and says nothing of the second.
      joinDuplicateHeaders: true,
    },
    acceptHttp1Request(app, clock, departure),
  );
  server.maxHeadersCount = limits.headerFields;
  server.on("clientError", answerBrokenRequest);
  // Connections come by hand, so this server never listens; but that is when Node starts to look after its timeouts.
  server.emit("listening");
  return {
    accept: (socket) => void server.emit("connection", socket),
    // Told with the next answer, or closed while idle: HTTP/1.1 has no other way to ask.
    retire: () => {},
    closeIdle: () => server.closeIdleConnections(),
    // Without this its timer would run on. It never listened, so there is nobody to call back.
    close: () => void server.close(),
  };
}
