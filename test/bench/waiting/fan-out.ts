import { create } from "@bufbuild/protobuf";
import {
  OperationWatcher,
  WatchOperationRequestSchema,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { CONNECTIONS, rawClient } from "./raw-client.ts";
import { control, percentile, requestsOf, startWorld } from "./world.ts";

const WATCHERS = 10_000;

/** The last of them is told within so long. */
const MAX_MS = 1_000;
const DATASET = "projects/p/locations/l/datasets/d";

/** One change of one operation, to ten thousand watchers. */
export async function fanOut(): Promise<boolean> {
  const world = await startWorld({ LRO_GATEWAY_WAITING_HEARTBEAT: "1h" });
  const { endpoint } = world;
  await control(endpoint, "POST", "/operations", {
    dataset: DATASET,
    id: "1",
    ageMs: 600_000,
    durationMs: 36_000_000,
  });
  const name = `${DATASET}/operations/1`;
  const client = rawClient(world.gateway.address);
  const request = create(WatchOperationRequestSchema, { name });
  const { watchOperation } = OperationWatcher.method;
  const calls = Array.from({ length: WATCHERS }, (_, n) => client.call(n, watchOperation, request));
  await Promise.all(calls.map(({ first }) => first));
  // The counters of the operation advance, so that its next read is a change.
  const moments = await Promise.all(calls.map(({ second }) => second));
  const seen = (await requestsOf(endpoint, "get")).at(-1)?.receivedAt ?? Number.NaN;
  const delays = moments.map((at) => at - seen);
  client.close();
  await world.stop();
  const slowest = Math.max(...delays);
  console.log(
    `   ${WATCHERS} watchers over ${CONNECTIONS} connections, three protocols: a change reached half of them ` +
      `${percentile(delays, 0.5)} ms and the last ${slowest} ms after the read that saw it (less than ${MAX_MS} ms)`,
  );
  return slowest < MAX_MS;
}
