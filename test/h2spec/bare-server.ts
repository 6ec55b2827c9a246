import { once } from "node:events";
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

/** Long enough for the cases that send an answer in pieces. */
const BODY = "what a bare server answers to everything\n";

/**
 * A server as node:http2 makes it, which answers everything by 200. What it announces is the gateway's number of
 * streams: with Node's own, four billion, h2spec has to skip what is about them.
 */
export async function startBareServer(tls: boolean): Promise<Http2Server | Http2SecureServer> {
  const options = { settings: { maxConcurrentStreams: 100 } };
  const server = tls
    ? createSecureServer({ ...options, cert: TEST_CERTIFICATE, key: TEST_KEY })
    : createServer(options);
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "text/plain" });
    stream.end(BODY);
  });
  server.on("sessionError", () => {});
  server.on("session", (session) => session.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Where it listens. */
export function portOf(server: Http2Server | Http2SecureServer): number {
  // A server on TCP has an address of this kind while it listens.
  return (server.address() as AddressInfo).port;
}
