import { connect, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  CancelOperationRequestSchema,
  GetOperationRequestSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { CARRIERS } from "../support/carriers.ts";
import { envelope } from "../support/encode-request.ts";
import { FaultServer, type Reply, type SeenRequest } from "../support/fault-server.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const GET = "/google.longrunning.Operations/GetOperation";
const CANCEL = "/google.longrunning.Operations/CancelOperation";

/** A caller that can leave in the middle of a call, with an answer or without one. */
interface Caller {
  sendHead(): void;
  sendHalf(): void;
  sendRest(): void;
  leave(): void;
}

describe.each(CARRIERS)("over %s, a caller that leaves", (_name, carriers) => {
  let upstream: FaultServer;
  let gateway: RunningGateway;
  let port: number;
  let seen: (request: SeenRequest, reply: Reply) => void = () => {};
  let operation = "";
  let made = 0;
  beforeAll(async () => {
    upstream = await FaultServer.start((request, reply) => seen(request, reply));
    gateway = await startTestGateway(upstream.origin, carriers);
    port = Number(gateway.address.split(":").at(-1));
  });
  afterAll(async () => {
    await gateway.drain();
    await upstream.close();
  });
  // A name of its own for each test: what one of them did must not answer another.
  beforeEach(() => {
    operation = `projects/p/locations/l/datasets/d/operations/${++made}`;
    upstream.requests.length = 0;
  });

  /** Waits for the next request at the upstream. */
  const asked = () =>
    new Promise<Reply>((resolve) => {
      seen = (_request, reply) => resolve(reply);
    });
  const closed = (socket: Socket) =>
    new Promise<void>((resolve) => (socket.destroyed ? resolve() : socket.once("close", () => resolve())));
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  async function overHttp2(path: string): Promise<Caller> {
    const schema = path === GET ? GetOperationRequestSchema : CancelOperationRequestSchema;
    const body = envelope(0, toBinary(schema, create(schema, { name: operation })));
    const client = await RawH2.connect(port);
    return {
      sendHead: () => client.send(frame(Frame.HEADERS, Flag.END_HEADERS, 1, headerBlock(grpcFields(path)))),
      sendHalf: () => client.send(frame(Frame.DATA, 0, 1, body.subarray(0, 20))),
      sendRest: () => client.send(frame(Frame.DATA, Flag.END_STREAM, 1, body.subarray(20))),
      leave: () => client.send(frame(Frame.RST_STREAM, 0, 1, Buffer.from([0, 0, 0, 8]))),
    };
  }

  async function overHttp1(path: string): Promise<Caller> {
    const body = JSON.stringify({ name: operation });
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    return {
      sendHead: () =>
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
        ),
      sendHalf: () => socket.write(body.slice(0, 20)),
      sendRest: () => socket.write(body.slice(20)),
      leave: () => socket.resetAndDestroy(),
    };
  }

  describe.each([
    ["resetting its stream of HTTP/2", overHttp2],
    ["resetting its connection of HTTP/1.1", overHttp1],
  ])("by %s", (_how, open) => {
    it.each([
      ["behind its header block", ["sendHead"]],
      ["in the middle of its message", ["sendHead", "sendHalf"]],
    ] as const)("%s has asked the upstream for nothing", async (_when, steps) => {
      for (const path of [GET, CANCEL]) {
        const caller = await open(path);
        for (const step of steps) {
          caller[step]();
          await pause(10);
        }
        caller.leave();
      }
      await pause(100);
      expect(upstream.requests).toEqual([]);
    });

    it.each([
      ["before the upstream has answered", () => {}],
      [
        "when the upstream has sent its head",
        (reply: Reply) => reply.raw("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"),
      ],
      [
        "when the upstream has sent half of its answer",
        (reply: Reply) => reply.raw('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"name":'),
      ],
    ])("%s stops a read of the upstream", async (_when, begin) => {
      const caller = await open(GET);
      const reply = asked();
      caller.sendHead();
      caller.sendHalf();
      caller.sendRest();
      begin(await reply);
      await pause(20);
      caller.leave();
      await closed((await reply).socket);
      expect(upstream.requests).toHaveLength(1);
    });

    it("lets a cancel of the upstream finish", async () => {
      const caller = await open(CANCEL);
      const reply = asked();
      caller.sendHead();
      caller.sendHalf();
      caller.sendRest();
      const { socket } = await reply;
      caller.leave();
      await pause(200);
      expect(socket.destroyed).toBe(false);
      (await reply).json(200, {});
      await pause(50);
      // The connection is kept: the answer was read to its end.
      expect(socket.destroyed).toBe(false);
      expect(upstream.requests.map(({ method }) => method)).toEqual(["POST"]);
    });
  });

  it("does not take the answer away from another who asks for the same", async () => {
    const replies: Reply[] = [];
    seen = (_request, reply) => replies.push(reply);
    const leaving = await overHttp2(GET);
    leaving.sendHead();
    leaving.sendHalf();
    leaving.sendRest();
    const staying = fetch(`http://${gateway.address}${GET}`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ name: operation }),
    });
    while (replies.length === 0) await pause(5);
    await pause(50);
    leaving.leave();
    await pause(50);
    seen = (_request, reply) => reply.json(200, { name: operation });
    for (const reply of replies) reply.json(200, { name: operation });
    expect(await (await staying).json()).toEqual({ name: operation });
  });
});
