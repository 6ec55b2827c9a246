import { create, createRegistry } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { defineService } from "../../src/rpc/handler.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { createHealthHandlers } from "../../src/services/health.ts";
import { HealthState } from "../../src/services/health-state.ts";
import { TestCall } from "../support/test-call.ts";

const SERVICE = "google.longrunning.Operations";

describe("HealthState", () => {
  it("is NOT_SERVING until the server serves", () => {
    const state = new HealthState([SERVICE]);
    expect([...state.entries()]).toEqual([
      ["", Status.NOT_SERVING],
      [SERVICE, Status.NOT_SERVING],
    ]);
    expect(state.serving).toBe(false);
    state.serve();
    expect([...state.entries()]).toEqual([
      ["", Status.SERVING],
      [SERVICE, Status.SERVING],
    ]);
    expect(state.serving).toBe(true);
  });

  it("stays NOT_SERVING once it drains, whatever is said later", () => {
    const state = new HealthState([SERVICE]);
    state.serve();
    state.drain();
    state.serve();
    expect(state.of("")).toBe(Status.NOT_SERVING);
    expect(state.of(SERVICE)).toBe(Status.NOT_SERVING);
  });

  it("tells its listeners once a change", () => {
    const state = new HealthState([SERVICE, "another.Service"]);
    let told = 0;
    state.onChange(() => told++);
    state.serve();
    state.serve();
    expect(told).toBe(1);
    state.drain();
    state.drain();
    expect(told).toBe(2);
  });

  it("tells nothing to a listener that has let go", () => {
    const state = new HealthState([SERVICE]);
    let told = 0;
    const forget = state.onChange(() => told++);
    forget();
    state.serve();
    expect(told).toBe(0);
  });
});

describe("watch", () => {
  const watch = (state: HealthState, service: string) =>
    createHealthHandlers(state).watch!(create(HealthCheckRequestSchema, { service }), new TestCall());
  const pull = (stream: ReturnType<typeof watch>) =>
    (stream.pull() as { status: Status } | undefined)?.status;

  it("gives a slow reader the latest state only", () => {
    const state = new HealthState([SERVICE]);
    const stream = watch(state, SERVICE);
    let woken = 0;
    stream.open(() => woken++);
    state.serve();
    expect(pull(stream)).toBe(Status.SERVING);
    expect(pull(stream)).toBeUndefined();
    state.drain();
    expect(woken).toBe(2);
    expect(pull(stream)).toBe(Status.NOT_SERVING);
    expect(pull(stream)).toBeUndefined();
    expect(stream.end).toBeUndefined();
  });

  it("tells nothing to a reader that has missed a change and its opposite", () => {
    const state = new HealthState([SERVICE]);
    const stream = watch(state, SERVICE);
    stream.open(() => {});
    expect(pull(stream)).toBe(Status.NOT_SERVING);
    state.serve();
    state.drain();
    expect(pull(stream)).toBeUndefined();
  });

  it("leaves nothing behind when its caller goes", () => {
    const state = new HealthState([SERVICE]);
    const stream = watch(state, SERVICE);
    let woken = 0;
    stream.open(() => woken++);
    stream.close(new ConnectError("gone", Code.Canceled));
    state.serve();
    expect(woken).toBe(0);
  });
});

describe("grpc.health.v1.Health", () => {
  let listener: Listener;
  let state: HealthState;
  beforeEach(async () => {
    state = new HealthState([SERVICE]);
    state.serve();
    listener = await startListener(
      { listen: "127.0.0.1:0" },
      createRouter([defineService(Health, createHealthHandlers(state))], { registry: createRegistry() }),
    );
  });
  afterEach(() => listener.close());

  const clients = {
    gRPC: () => createClient(Health, createGrpcTransport({ baseUrl: `http://${listener.address}` })),
    Connect: () =>
      createClient(
        Health,
        createConnectTransport({ baseUrl: `http://${listener.address}`, httpVersion: "1.1" }),
      ),
  };
  for (const [protocol, client] of Object.entries(clients)) {
    describe(protocol, () => {
      it.each(["", SERVICE])("checks %j", async (service) => {
        expect((await client().check({ service })).status).toBe(Status.SERVING);
        state.drain();
        expect((await client().check({ service })).status).toBe(Status.NOT_SERVING);
      });

      it("answers NOT_FOUND to the check of an unknown service", async () => {
        const error: ConnectError = await client()
          .check({ service: "no.Service" })
          .then(
            () => expect.fail("it knows the service"),
            (error) => error,
          );
        expect(error).toMatchObject({
          code: Code.NotFound,
          rawMessage:
            'no service "no.Service" here; ask for the empty name, which stands for the whole server',
        });
        expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "HEALTH_NAME_UNKNOWN" }]);
      });

      it("lists the whole server and each service", async () => {
        const { statuses } = await client().list({});
        expect(
          Object.fromEntries(Object.entries(statuses).map(([name, { status }]) => [name, status])),
        ).toEqual({ "": Status.SERVING, [SERVICE]: Status.SERVING });
      });

      it("tells a watcher the state at once and then each change", async () => {
        const seen: Status[] = [];
        for await (const { status } of client().watch({ service: SERVICE })) {
          seen.push(status);
          if (seen.length === 1) state.drain();
          if (seen.length === 2) break;
        }
        expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING]);
      });

      it("tells the watcher of an unknown service so, and goes on", async () => {
        const abort = new AbortController();
        const watch = client().watch({ service: "no.Service" }, { signal: abort.signal });
        const messages = watch[Symbol.asyncIterator]();
        expect((await messages.next()).value).toMatchObject({ status: Status.SERVICE_UNKNOWN });
        const second = messages.next();
        state.drain();
        abort.abort();
        await expect(second).rejects.toMatchObject({ code: Code.Canceled });
      });
    });
  }
});
