import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { HpackDecoder } from "../../src/listen/http2/hpack-decoder.ts";
import { startListener } from "../../src/listen/listener.ts";
import type { RequestHeaders } from "../../src/listen/transport.ts";
import { CARRIERS } from "../support/carriers.ts";
import { FaultServer } from "../support/fault-server.ts";
import { Flag, Frame, frame, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/**
 * Of two `authorization` headers the gateway once took the first without a word, because Node does, and forwarded it;
 * whatever stands before the gateway may have looked at the second. The same for two content types.
 */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const GET = "/google.longrunning.Operations/GetOperation";
const NAME = JSON.stringify({ name: "projects/p/locations/l/datasets/d/operations/1" });

type Lines = readonly (readonly [name: string, value: string])[];

/** Sends a request whose header lines are exactly these; the answer as it came. */
function sendHttp1(port: number, lines: Lines): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", reject).on("close", () => resolve(text));
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    socket.write(
      `POST ${GET} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${NAME.length}\r\n${head}\r\n${NAME}`,
    );
  });
}

/** The same over HTTP/2; the status and the body. */
async function sendHttp2(port: number, lines: Lines): Promise<string> {
  const client = await RawH2.connect(port);
  const block = headerBlock([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", GET],
    [":authority", "x"],
    ...lines,
  ]);
  client.send(
    frame(Frame.HEADERS, Flag.END_HEADERS, 1, block),
    frame(Frame.DATA, Flag.END_STREAM, 1, Buffer.from(NAME)),
  );
  await client.receive(
    ({ stream, flags, type }) => stream === 1 && type <= 1 && (flags & Flag.END_STREAM) > 0,
  );
  client.destroy();
  const frames = client.frames.filter(({ stream }) => stream === 1);
  const head = frames.find(({ type }) => type === Frame.HEADERS)?.payload ?? Buffer.alloc(0);
  const [, status] = new HpackDecoder().decode(head, { headerListBytes: 16_384, headerFields: 100 });
  const body = frames.filter(({ type }) => type === Frame.DATA).map(({ payload }) => payload.toString());
  return `${status} ${body.join("")}`;
}

const SENDERS = { "HTTP/1.1": sendHttp1, "HTTP/2": sendHttp2 };

describe.each(CARRIERS)("%s", (_, carriers) => {
  it.each(Object.entries(SENDERS))(
    "takes no one of two header lines for the only one: %s",
    async (_, send) => {
      const seen: RequestHeaders[] = [];
      const listener = await startListener({ listen: "127.0.0.1:0", ...carriers }, (call) => {
        seen.push(call.headers);
        call.receive({ data() {}, complete: () => call.answer(204, {}), drained() {}, closed() {} });
      });
      closing.push(() => listener.close());
      const port = Number(listener.address.split(":").at(-1));
      for (const name of ["authorization", "content-type"]) {
        const text = await send(port, [
          [name, "a"],
          ["x-between", "1"],
          [name, "b"],
        ]);
        // Both of them, or no call at all.
        const headers = seen.pop();
        if (headers) expect([headers[name], headers["x-between"]]).toEqual(["a, b", "1"]);
        else expect(text).toMatch(/^(?:HTTP\/1\.1 )?400 /);
      }
    },
  );
});

describe.each(["node", "own"])("a gateway with HTTP/2 by %s that forwards its callers' tokens", (http2) => {
  it.each(Object.entries(SENDERS))(
    "refuses a call with two of them, and sends nothing: %s",
    async (_, send) => {
      const upstream = await FaultServer.start((_, reply) => reply.json(200, {}));
      closing.push(() => upstream.close());
      const gateway = await startTestGateway(upstream.origin, { "upstream.credentials": "caller", http2 });
      closing.push(() => gateway.drain());
      const port = Number(gateway.address.split(":").at(-1));
      const json = ["content-type", "application/json"] as const;
      const tokens = [
        ["authorization", "Bearer first"],
        ["authorization", "Bearer second"],
      ] as const;
      expect(await send(port, [json, ...tokens])).toContain("CREDENTIALS_MALFORMED");
      expect(await send(port, [json, json, tokens[0]])).toMatch(/^(?:HTTP\/1\.1 )?415 /);
      expect(upstream.requests).toEqual([]);
    },
  );
});
