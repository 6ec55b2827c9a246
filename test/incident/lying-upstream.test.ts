import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import gax from "google-gax";
import { afterAll, expect, it, vi } from "vitest";
import { OperationSchema, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import {
  WatchOperationsResponse_Kind as Kind,
  OperationWatcher,
  CancelAndWaitResponse_Outcome as Outcome,
  State,
  type WatchOperationResponse,
  WatchOperationResponse_Kind,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { writeSnippets } from "../snippets/snippets.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { failure, type Lies, LyingUpstream } from "../support/lying-upstream.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/**
 * Waiters, watchers and pollers through sockets in front of an upstream that lies, most of them behind a proxy that
 * cuts their connections, attaching again by the program of docs/waiting.md. Requests are counted at the upstream.
 */

vi.setConfig({ testTimeout: 60_000 });

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** The rule of docs/waiting.md as it stands there. */
const { reattach, nanos } = (await import(
  pathToFileURL(join(writeSnippets("lying-upstream"), "reattach.mjs")).href
)) as {
  reattach<T>(attach: (signal: AbortSignal) => AsyncIterable<T>, heartbeat: number): AsyncGenerator<T>;
  nanos(time: { seconds: bigint; nanos: number }): bigint;
};

const PROTOCOLS: readonly ((baseUrl: string) => Transport)[] = [
  (baseUrl) => createGrpcTransport({ baseUrl }),
  (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
];

/** An upstream, a gateway, and a proxy before it that cuts at random. */
async function start(lies: Lies, seed = 1) {
  const random = new SeededRandom(seed);
  const upstream = await LyingUpstream.start(lies);
  closing.push(() => upstream.close());
  const gateway = await startTestGateway(upstream.endpoint, {
    "waiting.heartbeat": "500ms",
    "drain.timeout": "1s",
  });
  closing.push(() => gateway.drain());
  const proxy = await startCuttingProxy(gateway.address, {
    idleMs: 5_000,
    // Each connection its own age.
    get ageMs() {
      return random.between(300, 2_500);
    },
  });
  closing.push(() => proxy.close());
  return { upstream, gateway, proxy, url: `http://${gateway.address}` };
}

/** What a watcher saw: the messages of each of its streams. */
async function watch(address: string, n: number, name: string): Promise<WatchOperationResponse[][]> {
  const streams: WatchOperationResponse[][] = [];
  async function* attach(signal: AbortSignal): AsyncGenerator<WatchOperationResponse> {
    const seen: WatchOperationResponse[] = [];
    streams.push(seen);
    const client = createClient(OperationWatcher, PROTOCOLS[n % PROTOCOLS.length]!(`http://${address}`));
    let terminal: WatchOperationResponse | undefined;
    // Read to the end of the stream: nothing may follow the terminal state.
    for await (const message of client.watchOperation({ name }, { signal })) {
      seen.push(message);
      if (message.operation?.done) terminal = message;
      else yield message;
    }
    if (terminal) yield terminal;
  }
  for await (const message of reattach(attach, 0.5)) if (message.operation?.done) break;
  return streams;
}

/** The promises of a watch, whatever the upstream says. */
function expectPromisesKept(streams: WatchOperationResponse[][], state: State): void {
  for (const [at, seen] of streams.entries()) {
    const ends = seen.filter(({ operation }) => operation?.done);
    expect(ends.length).toBeLessThanOrEqual(1);
    if (at === streams.length - 1) expect(seen.at(-1)).toMatchObject({ state, operation: { done: true } });
    const times = seen.flatMap(({ readTime }) => (readTime ? [nanos(readTime)] : []));
    expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
    for (const { kind, operation, progress } of seen) {
      expect(operation === undefined).toBe(kind === WatchOperationResponse_Kind.HEARTBEAT);
      if (progress?.rate !== undefined) expect(progress.rate).toBeGreaterThanOrEqual(0);
    }
  }
}

const DATASET = "projects/p/locations/l/datasets/d";
const WATCHERS = 12;

it.concurrent("stale reads after done and counters that go back: done wins, once, at the cost of one poller", async () => {
  const random = new SeededRandom(7);
  const { upstream, proxy, url } = await start({
    lag: (_, { endsAt }) => (Date.now() > endsAt && random.chance(0.5) ? 3_000 : 0),
    countersOff: () => -random.below(400),
  });
  const name = `${DATASET}/operations/1`;
  const began = Date.now();
  const operation = upstream.begin(name, 4_000);
  const watching = Array.from({ length: WATCHERS }, (_, n) => watch(proxy.address, n, name));
  const waiting = Array.from({ length: WATCHERS }, (_, n) =>
    createClient(Operations, PROTOCOLS[n % PROTOCOLS.length]!(url)).waitOperation({ name }),
  );
  const streams = await Promise.all(watching);
  const waited = await Promise.all(waiting);
  for (const seen of streams) expectPromisesKept(seen, State.SUCCEEDED);
  const finals = new Set(
    [...waited, ...streams.map((seen) => seen.at(-1)!.at(-1)!.operation!)].map((final) =>
      Buffer.from(toBinary(OperationSchema, create(OperationSchema, final))).toString("hex"),
    ),
  );
  expect(finals.size).toBe(1);
  expect(proxy.cuts.age).toBeGreaterThan(WATCHERS);
  // One poller, who looks each second while the operation is young, and once more for its end.
  const reads = upstream.asked("get", name);
  expect(reads.length).toBeLessThanOrEqual((Date.now() - began) / 1_000 + 2);
  for (const [at, read] of reads.slice(1).entries()) expect(read.at - reads[at]!.at).toBeGreaterThan(500);

  // And ever after: whoever comes is told the end, with nothing asked.
  const client = createClient(Operations, PROTOCOLS[0]!(url));
  for (let n = 0; n < 10; n++) expect((await client.getOperation({ name })).done).toBe(true);
  expect((await watch(proxy.address, 0, name)).flat()).toHaveLength(1);
  expect(upstream.asked("get", name)).toHaveLength(reads.length);
  expect(operation.cancelledAt).toBeUndefined();
});

it.concurrent("lists without the newest, and stale ones: every end is told, and nothing is GONE that is there", async () => {
  const random = new SeededRandom(11);
  const { upstream, proxy, gateway } = await start({
    // The newest five are not in any list for three seconds; a third of the lists is two seconds old.
    omits: ({ name, createdAt }) => Number(name.slice(-2)) >= 15 && Date.now() - createdAt < 3_000,
    lag: (kind) => (kind === "list" && random.chance(0.3) ? 2_000 : 0),
  });
  const ids = Array.from({ length: 20 }, (_, n) => `${DATASET}/operations/${String(n).padStart(2, "0")}`);
  for (const [n, name] of ids.entries())
    upstream.begin(name, 1_000 + n * 300, n % 3 === 0 ? "error" : "response");
  const leave = new AbortController();
  const told: { kind: Kind; name: string; state: State }[] = [];
  const collection = (async () => {
    const client = createClient(OperationWatcher, PROTOCOLS[0]!(`http://${gateway.address}`));
    for await (const message of client.watchOperations({ parent: DATASET }, { signal: leave.signal }))
      told.push(message);
  })().catch(() => {});
  const streams = await Promise.all(ids.map((name, n) => watch(proxy.address, n, name)));
  for (const [n, seen] of streams.entries())
    expectPromisesKept(seen, n % 3 === 0 ? State.FAILED : State.SUCCEEDED);
  const ended = () =>
    new Set(told.filter(({ state }) => state >= State.SUCCEEDED).map(({ name }) => name)).size;
  while (ended() < ids.length) await new Promise((resolve) => setTimeout(resolve, 50));
  leave.abort();
  await collection;
  expect(told.filter(({ kind }) => kind === Kind.GONE)).toEqual([]);
  for (const name of ids) {
    const about = told.filter((message) => message.name === name);
    expect(about.filter(({ kind }) => kind === Kind.SNAPSHOT || kind === Kind.ADDED)).toHaveLength(1);
    expect(about.filter(({ state }) => state >= State.SUCCEEDED)).toHaveLength(1);
    expect(about.at(-1)?.state).toBeGreaterThanOrEqual(State.SUCCEEDED);
  }
  expect(upstream.arrivals.some(({ kind }) => kind === "list")).toBe(true);
});

it.concurrent("a cancel that is answered 500 though applied: one POST, the outcome, and everybody who watches is told", async () => {
  const { upstream, proxy, url } = await start({
    cancel: () => ({ instead: { status: 500, body: failure(500, "INTERNAL", "internal error") } }),
    cancelEffect: () => 1_500,
  });
  const [waited, plain] = ["1", "2"].map((id) => `${DATASET}/operations/${id}`) as [string, string];
  for (const name of [waited, plain]) upstream.begin(name, 3_600_000, "response", 600_000);
  const watching = [waited, plain].map((name, n) => watch(proxy.address, n, name));
  const client = createClient(OperationWatcher, PROTOCOLS[0]!(url));
  const { outcome, operation } = await client.cancelAndWait({ name: waited });
  expect([outcome, operation?.done]).toEqual([Outcome.CANCELLED, true]);
  const outcomes: (string | null)[] = [];
  await createClient(Operations, PROTOCOLS[0]!(url)).cancelOperation(
    { name: plain },
    {
      onHeader: (header) => {
        outcomes.push(header.get("lro-cancel-outcome"));
      },
    },
  );
  expect(outcomes).toEqual(["REQUESTED"]);
  for (const seen of await Promise.all(watching)) expectPromisesKept(seen, State.CANCELLED);
  for (const name of [waited, plain]) expect(upstream.asked("cancel", name)).toHaveLength(1);
});

it.concurrent("Google's polling helper and raw WaitOperation end the same way as those who watch", async () => {
  const random = new SeededRandom(13);
  const { upstream, gateway, proxy } = await start({
    lag: (_, { endsAt }) => (Date.now() > endsAt && random.chance(0.5) ? 3_000 : 0),
    countersOff: () => -random.below(400),
  });
  const name = `${DATASET}/operations/1`;
  upstream.begin(name, 3_000, "error");
  const [host, port] = gateway.address.split(":");
  const { grpc, lro, createBackoffSettings } = gax;
  const auth = { getUniverseDomain: async () => "googleapis.com" };
  const client = lro({ auth: auth as never }).operationsClient({
    servicePath: host,
    port: Number(port),
    sslCreds: grpc.credentials.createInsecure(),
  } as never);
  const [first] = await client.getOperation({ name } as never);
  const decoders = {
    operationsClient: client,
    responseDecoder: (bytes: unknown) => bytes,
    metadataDecoder: (bytes: unknown) => bytes,
  };
  const polling = new gax.Operation(
    first as never,
    decoders as never,
    createBackoffSettings(100, 1.3, 1_000, 0, 0, 0, 60_000),
  );
  const raw = new grpc.Client(gateway.address, grpc.credentials.createInsecure());
  const waiting = new Promise<{ code: unknown }>((resolve, reject) =>
    raw.makeUnaryRequest(
      "/google.longrunning.Operations/WaitOperation",
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]),
      (error, answer) => (error || !answer ? reject(error) : resolve({ code: answer.includes("it broke") })),
    ),
  );
  const watched = watch(proxy.address, 0, name);
  await expect(polling.promise()).rejects.toMatchObject({
    code: 13,
    message: expect.stringContaining("it broke"),
  });
  expect(await waiting).toEqual({ code: true });
  expectPromisesKept(await watched, State.FAILED);
  raw.close();
  client.close();
});
