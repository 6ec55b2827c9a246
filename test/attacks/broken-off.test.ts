import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CARRIERS } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import { SAY } from "../support/echo-service.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { Flag, Frame, frame, grpcFields, headerBlock } from "../support/raw-h2.ts";
import { underAttack } from "../support/under-attack.ts";

const block = headerBlock(grpcFields(SAY));
const json = '{"text":"x"}';

/** Whole calls as bytes, with something in them of everything that a carrier has to put together from pieces. */
const CALLS = {
  "HTTP/2": Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(Frame.SETTINGS, 0, 0),
    frame(Frame.HEADERS, 0, 1, block.subarray(0, 30)),
    frame(Frame.CONTINUATION, Flag.END_HEADERS, 1, block.subarray(30)),
    frame(Frame.PING, 0, 0, Buffer.alloc(8)),
    frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({ text: "x" })),
  ]),
  "HTTP/1.1": Buffer.from(
    `POST ${SAY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`,
  ),
};

/** Ways for a peer to go: an orderly end, and what a crash or a firewall does. */
const GOINGS = { "an end": "end", "a reset": "resetAndDestroy" } as const;

describe.each(CARRIERS)("over %s", (_name, carriers) => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await startEchoServer({ listener: carriers });
    await new GoodCaller(server.url).stop(200);
  });
  afterAll(() => server.stop());

  describe.each(Object.entries(CALLS))("connections of %s that break off", (_version, bytes) => {
    it.each(Object.entries(GOINGS))(
      "at every byte of a call, by %s, leave nothing behind (CVE-2024-27983, CVE-2025-23085, CVE-2025-59465)",
      async (_how, go) => {
        // Only a request that came to its end may run.
        await underAttack(server, { rssMiB: 64, handled: 1, turnMs: 100 }, async () => {
          for (let from = 0; from <= bytes.length; from += 50) {
            const cuts = Array.from({ length: Math.min(50, bytes.length + 1 - from) }, (_, at) => from + at);
            await Promise.all(
              cuts.map(async (cut) => {
                const socket = connect(server.port, "127.0.0.1");
                socket.on("error", () => {});
                socket.resume();
                await once(socket, "connect");
                const gone = new Promise((resolve) => socket.once("close", resolve));
                if (cut > 0) await new Promise((resolve) => socket.write(bytes.subarray(0, cut), resolve));
                socket[go]();
                // What is half open stays so as long as the server answers; this end has gone.
                if (go === "end") setTimeout(() => socket.destroy(), 200);
                await gone;
              }),
            );
          }
        });
        expect((await server.report()).openCalls).toBe(0);
      },
    );
  });
});
