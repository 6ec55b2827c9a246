import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";
import { WatchOperationRequestSchema } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { HpackDecoder } from "../../src/listen/http2/hpack-decoder.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../src/listen/limits.ts";
import { HTTP2_NAMES } from "../support/carriers.ts";
import { startServe } from "../support/cli-process.ts";
import { envelope } from "../support/encode-request.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { OPERATION, type SlowUpstream, startSlowUpstream } from "../support/slow-upstream.ts";

const WATCH = headerBlock(grpcFields("/lrogateway.v1.OperationWatcher/WatchOperation"));
const REQUEST = envelope(
  0,
  toBinary(WatchOperationRequestSchema, create(WatchOperationRequestSchema, { name: OPERATION })),
);
const CONNECTIONS = 5;
const { streamsPerSession } = DEFAULT_LISTENER_LIMITS;

let upstream: SlowUpstream;
beforeAll(async () => {
  upstream = await startSlowUpstream(15);
});
afterAll(() => upstream.close());

/** What ended each stream of a connection: its trailers, by name. */
function trailersOf(client: RawH2): Map<number, Map<string, string>> {
  const decoder = new HpackDecoder();
  const found = new Map<number, Map<string, string>>();
  for (const { type, flags, stream, payload } of client.frames) {
    if (type !== Frame.HEADERS) continue;
    const list = decoder.decode(payload, DEFAULT_LISTENER_LIMITS);
    if ((flags & Flag.END_STREAM) === 0 || list === "too large") continue;
    found.set(
      stream,
      new Map(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] as string] as const] : []))),
    );
  }
  return found;
}

it.each(HTTP2_NAMES)(
  "SIGTERM with 500 streams open over %s HTTP/2 ends each with UNAVAILABLE and a time to come back, and the process with 0",
  async (http2) => {
    const gateway = await startServe([
      ...["--upstream-endpoint", upstream.endpoint, "--upstream-credentials", "none"],
      ...["--http2", http2, "--drain-lame-duck", "500ms"],
    ]);
    const port = Number(gateway.address.split(":").at(-1));
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => RawH2.connect(port)));
    for (const client of clients)
      for (let stream = 1; stream < 2 * streamsPerSession; stream += 2)
        client.send(
          frame(Frame.HEADERS, Flag.END_HEADERS, stream, WATCH),
          frame(Frame.DATA, Flag.END_STREAM, stream, REQUEST),
        );
    for (const client of clients) {
      const last = 2 * streamsPerSession - 1;
      await client.receive(({ type, stream }) => type === Frame.DATA && stream === last);
    }
    gateway.child.kill("SIGTERM");
    const sentAt = performance.now();

    // Probes see at once that it leaves, and are answered soon whatever ends beside them.
    const health = createClient(Health, createGrpcTransport({ baseUrl: `http://${gateway.address}` }));
    const asked = performance.now();
    let status: Status = Status.SERVING;
    while (status === Status.SERVING) ({ status } = await health.check({}));
    expect(status).toBe(Status.NOT_SERVING);
    expect(performance.now() - asked).toBeLessThan(2_000);

    await Promise.all(clients.map((client) => client.untilClosed()));
    expect(await gateway.ended).toMatchObject({ code: 0 });
    expect(performance.now() - sentAt).toBeLessThan(8_000);

    const pushbacks = new Set<string | undefined>();
    for (const client of clients) {
      const trailers = trailersOf(client);
      expect(trailers.size).toBe(streamsPerSession);
      for (const fields of trailers.values()) {
        expect(fields.get("grpc-status")).toBe("14");
        pushbacks.add(fields.get("grpc-retry-pushback-ms"));
      }
      expect(client.frames.filter(({ type }) => type === Frame.RST_STREAM)).toEqual([]);
      // First without a limit, so that what is on its way is served; then with the last stream (RFC 9113 §6.8).
      const goaways = client.frames.filter(({ type }) => type === Frame.GOAWAY);
      const last = goaways.map(({ payload }) => payload.readUInt32BE());
      // Node says the second one twice.
      expect([last[0], ...new Set(last.slice(1))]).toEqual([0x7fff_ffff, 2 * streamsPerSession - 1]);
      expect(new Set(goaways.map(({ payload }) => payload.readUInt32BE(4)))).toEqual(new Set([0]));
    }
    // They do not all come back in the same moment.
    expect(pushbacks.size).toBeGreaterThan(50);
    expect(pushbacks).not.toContain(undefined);
  },
);
