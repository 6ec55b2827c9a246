import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, it } from "vitest";
import { startListener } from "../../src/listen/listener.ts";
import type { TransportCall } from "../../src/listen/transport.ts";
import { CARRIERS } from "../support/carriers.ts";
import { Flag, Frame, frame, grpcFields, headerBlock } from "../support/raw-h2.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

/** The beginning of a request whose body does not come. */
const BEGINNINGS = {
  "http/1.1": Buffer.from("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"),
  h2: Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(Frame.SETTINGS, 0, 0),
    frame(Frame.HEADERS, Flag.END_HEADERS, 1, headerBlock(grpcFields("/a"))),
  ]),
};

describe.each(CARRIERS)("over %s", (_name, carriers) => {
  describe.each(["clear text", "TLS"])("in %s", (security) => {
    it.each(["http/1.1", "h2"] as const)(
      "a caller of %s is known by its address when it has gone",
      async (version) => {
        const left = Promise.withResolvers<string>();
        const tls = { cert: TEST_CERTIFICATE, key: TEST_KEY };
        const app = (call: TransportCall) =>
          call.receive({ data() {}, complete() {}, drained() {}, closed: () => left.resolve(call.peer) });
        const listener = await startListener({ listen: "127.0.0.1:0", tls, ...carriers }, app);
        const port = Number(listener.address.split(":").at(-1));
        const socket: Socket =
          security === "TLS"
            ? connectTls({ port, host: "127.0.0.1", ca: TEST_CERTIFICATE, ALPNProtocols: [version] })
            : connect(port, "127.0.0.1");
        await once(socket, security === "TLS" ? "secureConnect" : "connect");
        const { localPort } = socket;
        socket.write(BEGINNINGS[version]);
        await expect.poll(() => listener.connections).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 50));
        socket.destroy();
        expect(await left.promise).toBe(`127.0.0.1:${localPort}`);
        await listener.close();
      },
    );
  });
});
