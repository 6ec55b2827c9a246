import { afterEach, describe, expect, it } from "vitest";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { CARRIERS } from "../support/carriers.ts";
import { echoRegistry, echoService, SAY } from "../support/echo-service.ts";
import { RawH1 } from "../support/raw-h1.ts";
import { standStill } from "../support/stand-still.ts";

const ARRIVAL_MS = 100;
const BODY = '{"text":"here in time"}';
const HEAD = `POST ${SAY} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n`;

let listener: Listener | undefined;
afterEach(() => listener?.close());

describe.each(CARRIERS)("over %s", (_name, carriers) => {
  it.each([
    ["the lean path", false],
    ["connect-es' handlers", true],
  ])(
    "a request that came while the gateway stood still is not late: %s",
    async (_way, allThroughConnectEs) => {
      const router = createRouter([echoService({ say: (message) => message })], {
        registry: echoRegistry,
        limits: { requestArrivalMs: ARRIVAL_MS },
        allThroughConnectEs,
      });
      let client: RawH1 | undefined;
      listener = await startListener({ listen: "127.0.0.1:0", ...carriers }, (call) => {
        router(call);
        client?.send(BODY);
        standStill(3 * ARRIVAL_MS);
      });
      client = await RawH1.connect(Number(listener.address.split(":").at(-1)));
      client.send(HEAD);
      await client.until(/\r\n\r\n.*\}/s);
      expect(client.read).toMatch(/^HTTP\/1\.1 200 /);
      expect(client.read).toContain(BODY);
      client.destroy();
    },
  );
});
