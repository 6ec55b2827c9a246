import { afterEach, describe, expect, it } from "vitest";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { HTTP2_NAMES } from "../support/carriers.ts";
import { echoRegistry, echoService, SAY } from "../support/echo-service.ts";
import { RawH1 } from "../support/raw-h1.ts";
import { Flag, Frame, frame, RawH2 } from "../support/raw-h2.ts";
import { standStill } from "../support/stand-still.ts";

const LIMIT_MS = 400;
const limits = { headersMs: LIMIT_MS, pingAfterMs: 20, pingAnswerMs: LIMIT_MS };

let listener: Listener | undefined;
afterEach(() => listener?.close());

async function listen(carriers: object): Promise<number> {
  const router = createRouter([echoService({ say: (message) => message })], { registry: echoRegistry });
  listener = await startListener({ listen: "127.0.0.1:0", limits, ...carriers }, router);
  return Number(listener.address.split(":").at(-1));
}

describe("a gateway that stood still for longer than it waits", () => {
  it.each(HTTP2_NAMES)("keeps a session whose PING was answered meanwhile, over %s HTTP/2", async (http2) => {
    const client = await RawH2.connect(await listen({ http2 }));
    const asks = ({ type, flags }: { type: number; flags: number }) => type === Frame.PING && flags === 0;
    const ping = await client.receive(asks);
    client.frames.length = 0;
    client.send(frame(Frame.PING, Flag.ACK, 0, ping?.payload));
    standStill(2 * LIMIT_MS);
    // It lives on, and is asked again.
    expect(await client.receive(asks)).toBeDefined();
    client.socket.destroy();
  });

  it("answers a request whose head was completed meanwhile, over HTTP/1.1", async () => {
    const client = await RawH1.connect(await listen({ http1: "own" }));
    const body = '{"text":"x"}';
    client.send(`POST ${SAY} HTTP/1.1\r\nhost: x\r\n`);
    await new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 4));
    // Timers are what comes next when the process goes on.
    await new Promise((resolve) => setImmediate(resolve));
    client.send(`content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    standStill(2 * LIMIT_MS);
    await client.until(/\r\n\r\n/);
    expect(client.read).toMatch(/^HTTP\/1\.1 200 /);
    client.destroy();
  });
});
