import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { rawClient } from "../bench/waiting/raw-client.ts";
import { startServe } from "../support/cli-process.ts";
import { FaultServer, type Reply } from "../support/fault-server.ts";

/**
 * Waits of a real gateway process before an upstream that answers what no API should, and callers who do what no caller
 * should. Reads are counted at the upstream.
 */

// All at once: they wait, and do little else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000, maxConcurrency: 20 });

/** A name whose project and region share their budget with no other test. */
const nameOf = (location: string, id = "1"): string =>
  `projects/p/locations/${location}/datasets/d/operations/${id}`;

/** An operation of this age: a young one is read every second, one of ten minutes every twenty. */
const running = (name: string, ageMs: number) => ({
  name,
  metadata: {
    "@type": "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata",
    createTime: new Date(Date.now() - ageMs).toISOString(),
  },
});
const young = (name: string) => running(name, 0);
const old = (name: string) => running(name, 600_000);
const done = (name: string) => ({
  ...young(name),
  done: true,
  response: { "@type": "type.googleapis.com/google.protobuf.Empty" },
});
const error = (code: number, status: string, details: object[] = []) => ({
  error: { code, status, message: "no", details },
});
const HTML = { "content-type": "text/html" };
const quota = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "RATE_LIMIT_EXCEEDED" };

/** What passes: a read that is answered so says nothing of the operation. */
const ANSWERS: Readonly<Record<string, (reply: Reply) => void>> = {
  "html-with-200": (reply) => reply.send(200, "<html>hello</html>", HTML),
  "nothing-with-200": (reply) => reply.send(200, ""),
  "nothing-with-204": (reply) => reply.raw("HTTP/1.1 204 No Content\r\n\r\n"),
  "half-a-json": (reply) => reply.send(200, '{"name":', { "content-type": "application/json" }),
  "an-array": (reply) => reply.json(200, []),
  "somebody-else": (reply) => reply.json(200, done(nameOf("elsewhere", "2"))),
  "a-redirect": (reply) => reply.send(302, "", { location: "http://127.0.0.1:1/" }),
  "a-page-with-404": (reply) => reply.send(404, "<html>no such page</html>", HTML),
  "a-page-with-502": (reply) => reply.send(502, "<html>try again in 30 seconds</html>", HTML),
  "no-token": (reply) => reply.json(401, error(401, "UNAUTHENTICATED")),
  "a-quota-with-403": (reply) => reply.json(403, error(403, "PERMISSION_DENIED", [quota])),
  "too-many": (reply) => reply.json(429, error(429, "RESOURCE_EXHAUSTED")),
  "too-many-until-the-past": (reply) =>
    reply.json(429, error(429, "RESOURCE_EXHAUSTED"), { "retry-after": new Date(0).toUTCString() }),
  "a-reset": (reply) => reply.reset(),
  "a-body-cut-short": (reply) => {
    reply.raw('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"name"');
    reply.end();
  },
  "another-protocol": (reply) => {
    reply.raw("SSH-2.0-OpenSSH_9.9\r\n");
    reply.end();
  },
};

const reads = new Map<string, number[]>();
let upstream: FaultServer;
let gateway: Awaited<ReturnType<typeof startServe>>;
let url: string;

beforeAll(async () => {
  upstream = await FaultServer.start((request, reply) => {
    const name = decodeURIComponent(request.path.replace(/^\/v1(?:beta1)?\//, ""));
    const so = reads.get(name) ?? [];
    reads.set(name, [...so, request.at]);
    const location = name.split("/")[3] ?? "";
    const strange = ANSWERS[location];
    // Twice something strange, once the truth, and then the end.
    if (strange && so.length < 2) strange(reply);
    else if (strange && so.length > 2) reply.json(200, done(name));
    else reply.json(200, location === "loop" ? old(name) : young(name));
  });
  gateway = await startServe([], {
    env: {
      LRO_GATEWAY_UPSTREAM_ENDPOINT: `http://127.0.0.1:${upstream.port}`,
      LRO_GATEWAY_UPSTREAM_CREDENTIALS: "none",
    },
  });
  url = `http://${gateway.address}`;
});
afterAll(async () => {
  gateway.child.kill();
  expect((await gateway.ended).code).toBe(0);
  await upstream.close();
});

async function gauge(name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^lro_gateway_${name} (\\d+)$`, "m").exec(page)?.[1]);
}

const operations = () => createClient(Operations, createGrpcTransport({ baseUrl: url }));

it.concurrent.each(Object.keys(ANSWERS))(
  "%s is retried inside the wait, no faster than polls are",
  async (strange) => {
    const name = nameOf(strange);
    const answer = await operations().waitOperation({ name, timeout: { seconds: 40n } });
    expect(answer.done).toBe(true);
    const at = reads.get(name) ?? [];
    expect(at).toHaveLength(4);
    // A second at least between them, up to the jitter and to how long one was on its way.
    for (const [n, moment] of at.slice(1).entries()) expect(moment - at[n]!).toBeGreaterThan(500);
  },
);

it.concurrent("a caller who attaches again in a tight loop costs no more reads than one who stays", async () => {
  const name = nameOf("loop");
  const watcher = createClient(OperationWatcher, createGrpcTransport({ baseUrl: url }));
  for (let n = 0; n < 200; n++) {
    const leave = new AbortController();
    for await (const { operation } of watcher.watchOperation({ name }, { signal: leave.signal }))
      if (operation) break;
    leave.abort();
    await sleep(10);
  }
  // A first one, and more only if the loop took longer than an interval.
  expect(reads.get(name)?.length).toBeLessThanOrEqual(3);
});

it("callers who leave all in the same moment leave no poll behind, and nobody waits for it", async () => {
  const names = Array.from({ length: 300 }, (_, n) => nameOf("left", String(n)));
  const crowd = rawClient(gateway.address);
  const { waitOperation } = Operations.method;
  for (let n = 0; n < 3_000; n++)
    crowd.call(n, waitOperation, { $typeName: waitOperation.input.typeName, name: names[n % 300] } as never);
  while ((await gauge("watches")) < 3_000) await sleep(50);
  expect(await gauge("tracked_operations")).toBe(300);
  crowd.close();
  expect((await operations().getOperation({ name: nameOf("left", "0") })).done).toBe(false);
  while ((await gauge("watches")) > 0) await sleep(20);
  expect(await gauge("tracked_operations")).toBe(0);
  let before = -1;
  // What was on its way may still arrive.
  while (before !== upstream.requests.length) {
    before = upstream.requests.length;
    await sleep(500);
  }
  // Longer than an interval.
  await sleep(1_000);
  expect(upstream.requests).toHaveLength(before);
});
