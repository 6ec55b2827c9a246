/**
 * Resident memory of idle watches: `npm run bench:watches [-- WATCHES [OPERATIONS]]`. Opens WATCHES streams over a
 * hundred connections, half of them gRPC and half Connect, on OPERATIONS operations that go on for hours; lets them
 * lie; closes them; and does it again, to see what a round leaves behind. The gateway is a process of its own.
 */
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  OperationWatcher,
  WatchOperationRequestSchema,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { startCli, startServe } from "../support/cli-process.ts";

const watches = Number(process.argv[2] ?? 10_000);
const operations = Number(process.argv[3] ?? 1);
const CONNECTIONS = 100;
const DATASET = "projects/demo/locations/us-central1/datasets/demo";

/** From the last first message to the measurement: heartbeats come and go meanwhile. */
const REST_MS = 25_000;

const emulator = startCli(["emulator", "--listen", "127.0.0.1:0", "--no-demo"]);
const [, upstream = ""] = await emulator.matches(/(http:\/\/127\.0\.0\.1:\d+)/);
for (let id = 0; id < operations; id++)
  await fetch(`${upstream}/emulator/v1/operations`, {
    method: "POST",
    body: JSON.stringify({
      id: String(id),
      dataset: `${DATASET}${id % 50}`,
      ageMs: 3_600_000,
      durationMs: 36_000_000,
    }),
  }).then(async (answer) => answer.ok || Promise.reject(new Error(await answer.text())));
const gateway = await startServe([], {
  env: { LRO_GATEWAY_UPSTREAM_ENDPOINT: upstream, LRO_GATEWAY_UPSTREAM_CREDENTIALS: "none" },
});

await round(Math.min(watches, 200));
await sleep(2_000);
const idle = resident();
console.log(`idle gateway: ${idle} KiB`);
const first = await round(watches);
await sleep(5_000);
const left = resident();
const second = await round(watches);
console.log(
  `${watches} watches of ${operations} operation(s) over ${CONNECTIONS} connections, KiB resident each:`,
);
console.log(`  first round  ${((first - idle) / watches).toFixed(1)}`);
console.log(`  after it     ${((left - idle) / watches).toFixed(1)}`);
console.log(
  `  second round ${((second - idle) / watches).toFixed(1)} (${(((second - first) / first) * 100).toFixed(1)} % more in all)`,
);
gateway.child.kill();
emulator.child.kill();
await Promise.all([gateway.ended, emulator.ended]);

function nameOf(id: number): string {
  return `${DATASET}${id % 50}/operations/${id}`;
}

/** Opens the streams, waits until each has its first message and some rest, measures, closes them. */
async function round(count: number): Promise<number> {
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(`http://${gateway.address}`));
  const streams = Array.from({ length: count }, (_, n) => open(sessions[n % CONNECTIONS]!, n));
  await Promise.all(streams.map(firstData));
  if (count === watches) await sleep(REST_MS);
  const kib = resident();
  for (const session of sessions) session.destroy();
  return kib;
}

function open(session: ClientHttp2Session, n: number): ClientHttp2Stream {
  session.setMaxListeners(0);
  const grpc = n % CONNECTIONS < CONNECTIONS / 2;
  const stream = session.request({
    ":method": "POST",
    ":path": `/${OperationWatcher.typeName}/WatchOperation`,
    "content-type": grpc ? "application/grpc+proto" : "application/connect+proto",
    ...(grpc && { te: "trailers" }),
  });
  stream.on("error", () => {});
  const message = toBinary(
    WatchOperationRequestSchema,
    create(WatchOperationRequestSchema, { name: nameOf(n % operations) }),
  );
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  stream.end(frame);
  return stream;
}

function firstData(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once("data", () => resolve());
    stream.once("close", () => reject(new Error("a stream ended")));
  });
}

/** VmRSS of the gateway in KiB. */
function resident(): number {
  const status = readFileSync(`/proc/${gateway.child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}
