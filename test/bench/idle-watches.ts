/**
 * Resident memory of idle watches: `npm run bench:watches [-- WATCHES [OPERATIONS]]`. Opens WATCHES streams over a
 * hundred connections, half of them gRPC and half Connect, on OPERATIONS operations that go on for hours; lets them
 * lie; closes them; and does it twice again, to see what a round leaves behind. The gateway is a process of its own, as
 * users start it, and nobody but itself collects its memory. Exits with 1 when a promise is not kept.
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
const ROUNDS = 3;
const DATASET = "projects/demo/locations/us-central1/datasets/demo";

/** From the last first message to the measurement: heartbeats come and go meanwhile. */
const REST_MS = 25_000;

/** From the last of a round to the first of the next. */
const PAUSE_MS = 10_000;

/** Resident memory of a watch at most, KiB. */
const MAX_KIB = 12;

/** What a later round may need beyond the first, as a share of all resident memory. */
const MAX_GROWTH = 0.1;

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
const rounds: number[] = [];
for (let n = 0; n < ROUNDS; n++) {
  rounds.push(await round(watches));
  await sleep(PAUSE_MS);
  console.log(`  after round ${n + 1}: ${resident()} KiB`);
}
gateway.child.kill();
emulator.child.kill();
await Promise.all([gateway.ended, emulator.ended]);

const [first = Number.NaN] = rounds;
const each = (first - idle) / watches;
const growth = Math.max(...rounds.slice(1)) / first - 1;
console.log(
  `${watches} watches of ${operations} operation(s) over ${CONNECTIONS} connections: ${each.toFixed(1)} KiB resident each ` +
    `(at most ${MAX_KIB}); rounds ${rounds.map((kib) => `${kib} KiB`).join(", ")}: ` +
    `${(growth * 100).toFixed(1)} % more than the first at most (less than ${MAX_GROWTH * 100} %)`,
);
const kept = each <= MAX_KIB && growth < MAX_GROWTH;
if (!kept) console.log("NOT KEPT");
process.exit(kept ? 0 : 1);

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
