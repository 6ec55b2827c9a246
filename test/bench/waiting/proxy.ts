import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import {
  OperationWatcher,
  type WatchOperationResponse,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { writeSnippets } from "../../snippets/snippets.ts";
import { startCuttingProxy } from "../../support/cutting-proxy.ts";
import { control, requestsOf, startGateway, startWorld } from "./world.ts";

const CLIENTS = 30;

/** As proxies have it in life: what is silent is cut, and everything when it is old. */
const PROXY = { idleMs: 20_000, ageMs: 90_000 };
const KILL_MS = 110_000;
const DURATION_MS = 200_000;
const DATASET = "projects/p/locations/l/datasets/d";

/** Read every 20 s or a little more often, and once for each gateway. */
const MAX_READS = Math.ceil(DURATION_MS / 18_000) + 4;

const TRANSPORTS: readonly ((baseUrl: string) => Transport)[] = [
  (baseUrl) => createGrpcTransport({ baseUrl }),
  (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
];

/** The rule of docs/waiting.md as it stands there. */
type Reattach = <T>(attach: (signal: AbortSignal) => AsyncIterable<T>) => AsyncGenerator<T>;

/** Clients of three protocols behind a proxy that cuts connections, and a gateway that is killed in the middle. */
export async function proxy(): Promise<boolean> {
  const world = await startWorld();
  const { endpoint } = world;
  const { address } = world.gateway;
  const { reattach } = (await import(pathToFileURL(join(writeSnippets("bench"), "reattach.mjs")).href)) as {
    reattach: Reattach;
  };
  const age = { ageMs: 600_000, durationMs: 600_000 + DURATION_MS };
  await control(endpoint, "POST", "/operations", { dataset: DATASET, id: "1", ...age });
  const between = await startCuttingProxy(address, PROXY);
  const watching = Array.from({ length: CLIENTS }, (_, n) => watchToTheEnd(reattach, between.address, n));
  await sleep(KILL_MS);
  world.gateway.child.kill("SIGKILL");
  await world.gateway.ended;
  world.gateway = await startGateway(endpoint, {}, ["--listen", address]);
  const terminals = (await Promise.all(watching)).map((streams) =>
    streams.reduce((sum, each) => sum + each, 0),
  );
  const reads = (await requestsOf(endpoint, "get")).length;
  await between.close();
  await world.stop();
  const once = terminals.filter((count) => count === 1).length;
  console.log(
    `   ${CLIENTS} clients of three protocols, cut ${between.cuts.age} times for age and ${between.cuts.idle} times for silence ` +
      `(0), the gateway killed once: ${once} got the terminal state exactly once (${CLIENTS}); ${reads} reads (at most ${MAX_READS})`,
  );
  return once === CLIENTS && between.cuts.idle === 0 && between.cuts.age >= CLIENTS && reads <= MAX_READS;
}

/** How many terminal messages each of a client's streams carried; every stream is read to its end. */
async function watchToTheEnd(reattach: Reattach, address: string, n: number): Promise<number[]> {
  const terminals: number[] = [];
  async function* attach(signal: AbortSignal): AsyncGenerator<WatchOperationResponse> {
    const at = terminals.push(0) - 1;
    // A connection of its own.
    const transport = TRANSPORTS[n % TRANSPORTS.length]?.(`http://${address}`);
    if (!transport) return;
    let last: WatchOperationResponse | undefined;
    const watcher = createClient(OperationWatcher, transport);
    for await (const message of watcher.watchOperation({ name: `${DATASET}/operations/1` }, { signal })) {
      last = message;
      if (message.operation?.done) terminals[at] = (terminals[at] ?? 0) + 1;
      else yield message;
    }
    if (last?.operation?.done) yield last;
  }
  for await (const { operation } of reattach(attach)) if (operation?.done) break;
  return terminals;
}
