import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningGateway } from "../../src/gateway.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const SYMBOL = Buffer.from("google.longrunning.Operations");
/** `file_containing_symbol` in an envelope; the answer has some 18 KB. */
const question = Buffer.concat([Buffer.from([0, 0, 0, 0, SYMBOL.length + 2, 0x22, SYMBOL.length]), SYMBOL]);
const head = headerBlock(grpcFields("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
const ask = (stream: number) =>
  Buffer.concat([
    frame(Frame.HEADERS, Flag.END_HEADERS, stream, head),
    frame(Frame.DATA, Flag.END_STREAM, stream, question),
  ]);

const INITIAL_WINDOW_SIZE = 4;
const REFUSED_STREAM = 7;

let gateway: RunningGateway;
let port: number;
beforeAll(async () => {
  gateway = await startTestGateway("http://127.0.0.1:9");
  port = Number(gateway.address.split(":").at(-1));
});
afterAll(() => gateway.drain());

it("callers who ask reflection and let no answer through hold a thousand calls at most, and none when they have gone", async () => {
  const clients: RawH2[] = [];
  for (let at = 0; at < 12; at++) {
    const client = await RawH2.connect(port, { settings: [[INITIAL_WINDOW_SIZE, 0]] });
    clients.push(client);
    for (let stream = 1; stream < 200; stream += 2) client.send(ask(stream));
  }
  const resets = () =>
    clients.flatMap(({ frames }) => frames.filter(({ type }) => type === Frame.RST_STREAM));
  while (resets().length < 200) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(new Set(resets().map(({ payload }) => payload.readUInt32BE()))).toEqual(new Set([REFUSED_STREAM]));
  for (const client of clients) client.destroy();

  const reader = await RawH2.connect(port);
  for (let stream = 1; ; stream += 2) {
    reader.send(ask(stream));
    const end = await reader.receive(
      (one) =>
        one.stream === stream && (one.type === Frame.RST_STREAM || (one.flags & Flag.END_STREAM) !== 0),
    );
    if (end?.type !== Frame.RST_STREAM) break;
  }
  expect(reader.frames.some(({ type, payload }) => type === Frame.DATA && payload.length > 1_000)).toBe(true);
  reader.destroy();
});
