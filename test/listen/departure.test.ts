import { connect } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import { OperationSchema, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { Departure } from "../../src/listen/departure.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../src/listen/limits.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { defineService } from "../../src/rpc/handler.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { CARRIERS } from "../support/carriers.ts";
import { echoRegistry, echoService, REPEAT, SAY } from "../support/echo-service.ts";
import { envelope } from "../support/encode-request.ts";
import { fetchLoad, grpcLoad } from "../support/load-callers.ts";
import { ManualClock } from "../support/manual-clock.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("Departure", () => {
  it("lets a connection go at its age, a tenth sooner or later", () => {
    const clock = new ManualClock();
    const limits = { ...DEFAULT_LISTENER_LIMITS, connectionAgeMs: 1_000 };
    const at = (random: number) => new Departure(clock, limits, () => random).timeToGo() - clock.monotonic();
    expect([at(0), at(0.5), at(1)]).toEqual([900, 1_000, 1_100]);
  });

  it("lets every connection go once the listener drains", () => {
    const departure = new Departure(new ManualClock(), DEFAULT_LISTENER_LIMITS, () => 0);
    const timeToGo = departure.timeToGo();
    expect(departure.due(timeToGo)).toBe(false);
    departure.everyone = true;
    expect(departure.due(timeToGo)).toBe(true);
  });
});

describe.each(CARRIERS)("over %s, a listener whose connections do not grow old", (_name, carriers) => {
  let listener: Listener | undefined;
  afterEach(() => listener?.close());
  // Sessions are looked at ten times in the time for an answer to a PING.
  const limits = { connectionAgeMs: 100, pingAnswerMs: 200 };

  it("fails no call while clients change connections all the time", async () => {
    const peers = { "1.1": new Set<string>(), "2": new Set<string>() };
    const service = defineService(Operations, {
      getOperation: async ({ name }) => {
        await pause(3);
        return create(OperationSchema, { name });
      },
    });
    const router = createRouter([service], { registry: echoRegistry });
    listener = await startListener({ listen: "127.0.0.1:0", limits, ...carriers }, (call) => {
      peers[call.httpVersion].add(call.peer);
      router(call);
    });
    const loads = [grpcLoad(4, [listener.address]), fetchLoad(4, [listener.address])];
    const enough = () =>
      peers["1.1"].size >= 20 && peers["2"].size >= 5 && loads.every(({ answered }) => answered > 50);
    while (!enough()) await pause(20);
    await Promise.all(loads.map((load) => load.stop()));
    expect(loads.map(({ failures }) => failures)).toEqual([[], []]);
  });

  it("says GOAWAY without a limit first, then with the last stream, and lets an open stream finish", async () => {
    let finish = (): void => {};
    let ended = false;
    const service = echoService({
      say: (message) => message,
      repeat: () => ({
        open(wake) {
          finish = () => {
            ended = true;
            wake();
          };
        },
        pull: () => undefined,
        get end() {
          return ended ? {} : undefined;
        },
        close() {},
      }),
    });
    const router = createRouter([service], { registry: echoRegistry });
    listener = await startListener({ listen: "127.0.0.1:0", limits, ...carriers }, router);
    const session = connect(`http://${listener.address}`);
    const lastStreams: (number | undefined)[] = [];
    session.on("goaway", (_code, lastStream) => lastStreams.push(lastStream));
    const request = (path: string) => {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
      });
      stream.end(envelope(0, Buffer.alloc(0)));
      return new Promise<string>((resolve, reject) => {
        let status = "none";
        stream.on("response", (headers) => {
          status = String(headers["grpc-status"] ?? status);
        });
        stream.on("trailers", (trailers) => {
          status = String(trailers["grpc-status"]);
        });
        stream.on("close", () => resolve(status));
        stream.on("error", reject);
        stream.resume();
      });
    };
    const long = request(REPEAT);
    expect(await request(SAY)).toBe("0");
    while (lastStreams.length < 2) await pause(10);
    expect(lastStreams).toEqual([2 ** 31 - 1, 3]);
    await pause(100);
    expect(session.destroyed).toBe(false);
    finish();
    expect(await long).toBe("0");
    while (listener.connections > 0) await pause(10);
  });
});
