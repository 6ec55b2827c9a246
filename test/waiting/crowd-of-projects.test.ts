import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { FaultServer } from "../support/fault-server.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/** More than the connections to the upstream and all that may wait for one: each project has a budget of its own. */
const PROJECTS = 1_200;
const STREAMS_PER_CONNECTION = 100;

test("watches of a thousand projects keep no call from the upstream", async () => {
  const upstream = await FaultServer.start((request, reply) => {
    const name = request.path.replace("/v1beta1/", "");
    setTimeout(() => reply.json(200, { name }), 300);
  });
  const gateway = await startTestGateway(upstream.origin);
  const baseUrl = `http://${gateway.address}`;
  const left = new AbortController();
  const watches = Array.from({ length: PROJECTS / STREAMS_PER_CONNECTION }, (_, connection) => {
    const watcher = createClient(OperationWatcher, createGrpcTransport({ baseUrl }));
    return Array.from({ length: STREAMS_PER_CONNECTION }, async (_, at) => {
      const name = `projects/p${connection}-${at}/locations/l/datasets/d/operations/1`;
      for await (const _ of watcher.watchOperation({ name }, { signal: left.signal })) break;
    });
  }).flat();
  const crowd = Promise.allSettled(watches);
  // All are there, and what the upstream is asked for them fills every connection.
  const metrics = async () => await (await fetch(`${baseUrl}/metrics`)).text();
  await expect.poll(metrics, { timeout: 20_000 }).toContain(`\nlro_gateway_watches ${PROJECTS}\n`);
  const name = "projects/caller/locations/l/datasets/d/operations/1";
  const { getOperation } = createClient(Operations, createGrpcTransport({ baseUrl }));
  expect((await getOperation({ name })).name).toBe(name);
  left.abort();
  await crowd;
  await gateway.drain();
  await upstream.close();
});
