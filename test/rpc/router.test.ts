import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { create, createRegistry, type Message } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OperationSchema, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { defineService, type ResponseStream } from "../../src/rpc/handler.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { CARRIERS } from "../support/carriers.ts";

const operations = defineService(Operations, {
  getOperation: (request, call) => {
    call.responseHeader.set("x-seen", call.header("x-sent") ?? "nothing");
    return create(OperationSchema, { name: request.name });
  },
  cancelOperation: async (request) => {
    if (request.name === "slow") await new Promise((resolve) => setTimeout(resolve, 5_000).unref());
    if (request.name === "surrogate") throw new ConnectError("half a \ud800 pair", Code.NotFound);
    if (request.name === "unavailable") throw new ConnectError("not now", Code.Unavailable);
    return create(EmptySchema);
  },
});

/** Counts from 1 to 3, one message each turn. */
function threeStates(): ResponseStream<Message> {
  const states = [HealthCheckResponse_ServingStatus.NOT_SERVING, HealthCheckResponse_ServingStatus.SERVING];
  let wake = () => {};
  const timer = setInterval(() => wake(), 1);
  return {
    open(listener) {
      wake = listener;
    },
    pull() {
      const status = states.shift();
      return status === undefined ? undefined : create(HealthCheckResponseSchema, { status });
    },
    get end() {
      if (states.length > 0) return undefined;
      clearInterval(timer);
      return {};
    },
    close() {
      clearInterval(timer);
    },
  };
}
const health = defineService(Health, { watch: () => threeStates() as ResponseStream<never> });

describe.each(CARRIERS)("createRouter() over %s", (_name, carriers) => {
  let listener: Listener;
  beforeAll(async () => {
    listener = await startListener(
      { listen: "127.0.0.1:0", ...carriers },
      createRouter([operations, health], { registry: createRegistry(Operations) }),
    );
  });
  afterAll(() => listener.close());

  const transports = {
    "gRPC over HTTP/2": (baseUrl: string) => createGrpcTransport({ baseUrl }),
    "gRPC-Web over HTTP/1.1": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    "gRPC-Web over HTTP/2": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    "Connect over HTTP/1.1": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
    "Connect over HTTP/2": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  };
  for (const [name, createTransport] of Object.entries(transports)) {
    describe(name, () => {
      const transport = () => createTransport(`http://${listener.address}`);

      it("answers a unary call and carries metadata both ways", async () => {
        let seen: string | null = null;
        const answer = await createClient(Operations, transport()).getOperation(
          { name: "operations/1" },
          { headers: { "x-sent": "yes" }, onHeader: (headers) => (seen = headers.get("x-seen")) },
        );
        expect(answer.name).toBe("operations/1");
        expect(seen).toBe("yes");
      });

      it("answers a server stream to its end", async () => {
        const states: number[] = [];
        for await (const { status } of createClient(Health, transport()).watch({})) states.push(status);
        expect(states).toEqual([2, 1]);
      });

      it("answers in time when the handler ignores its deadline", async () => {
        const started = performance.now();
        const client = createClient(Operations, transport());
        await expect(client.cancelOperation({ name: "slow" }, { timeoutMs: 100 })).rejects.toMatchObject({
          code: Code.DeadlineExceeded,
        });
        expect(performance.now() - started).toBeLessThan(3_000);
      });

      it("delivers an error whose text is not well-formed", async () => {
        const client = createClient(Operations, transport());
        await expect(client.cancelOperation({ name: "surrogate" })).rejects.toMatchObject({
          code: Code.NotFound,
          rawMessage: "half a \ufffd pair",
        });
      });

      it("answers UNIMPLEMENTED for a method without a handler", async () => {
        const client = createClient(Operations, transport());
        await expect(client.deleteOperation({ name: "x" })).rejects.toMatchObject({
          code: Code.Unimplemented,
        });
      });
    });
  }

  it("ends a gRPC error in the header block itself, so that clients may retry", async () => {
    const session = connectHttp2(`http://${listener.address}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/google.longrunning.Operations/CancelOperation",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const name = Buffer.from("unavailable");
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, name.length + 2, 0x0a, name.length]), name]));
    const [headers, flags] = await new Promise<[Record<string, unknown>, number]>((resolve, reject) => {
      stream.on("response", (headers, flags) => resolve([headers, flags]));
      stream.on("error", reject);
    });
    expect(headers["grpc-status"]).toBe("14");
    expect(flags & constants.NGHTTP2_FLAG_END_STREAM).toBe(constants.NGHTTP2_FLAG_END_STREAM);
    session.destroy();
  });

  it.each(["[", "a b", "a:99999", "%zz", "", "user@host"])(
    "answers 400 to the authority %j and lives on",
    async (host) => {
      const answer = await exchange(
        `POST /google.longrunning.Operations/GetOperation HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      const client = createClient(
        Operations,
        createConnectTransport({ baseUrl: `http://${listener.address}`, httpVersion: "1.1" }),
      );
      expect((await client.getOperation({ name: "still here" })).name).toBe("still here");
    },
  );

  it("answers 404 to a path that is no method", async () => {
    expect((await fetch(`http://${listener.address}/nothing`)).status).toBe(404);
  });

  it.each([
    ["gRPC", createGrpcTransport],
    ["gRPC-Web", createGrpcWebTransport],
  ] as const)(
    "tells %s of a service that is not there in its protocol",
    async (_protocol, createTransport) => {
      const transport = createTransport({ baseUrl: `http://${listener.address}`, httpVersion: "2" });
      const absent = createClient(OperationWatcher, transport).cancelAndWait({ name: "x" });
      const error = await absent.then(() => undefined, ConnectError.from);
      expect([error?.code, error?.rawMessage]).toEqual([
        Code.Unimplemented,
        "lrogateway.v1.OperationWatcher/CancelAndWait is not served",
      ]);
      expect(error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("METHOD_UNKNOWN");
    },
  );

  async function exchange(request: string): Promise<string> {
    const port = Number(listener.address.split(":").at(-1));
    const socket = connect(port, "127.0.0.1");
    socket.write(request);
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    return answer;
  }
});
