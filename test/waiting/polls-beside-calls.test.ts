import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { FaultServer } from "../support/fault-server.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const name = (id: string) => `projects/p/locations/l/datasets/d/operations/${id}`;

test("while calls wait for every connection a poll has its turn, and who asks for what a poll waits to read has his own", async () => {
  const held: (() => void)[] = [];
  const upstream = await FaultServer.start(({ path }, reply) => {
    held.push(() => reply.json(200, { name: path.replace("/v1beta1/", ""), done: true, response: {} }));
  });
  // A budget that no read of this test waits for.
  const flags = { "upstream.connections": "1", "waiting.reads_per_second": "1000" };
  const gateway = await startTestGateway(upstream.origin, flags);
  const baseUrl = `http://${gateway.address}`;
  const client = createClient(Operations, createGrpcTransport({ baseUrl }));
  const answers: Promise<unknown>[] = [];
  /** Begins calls, and resolves when so many requests are under way to the upstream or wait for a connection. */
  const begin = async (requests: number, call: (id: string) => Promise<unknown>, ...ids: string[]) => {
    answers.push(...ids.map(call));
    const metrics = async () => {
      const text = await (await fetch(`${baseUrl}/metrics`)).text();
      return ["open_calls", "upstream_requests"].map((gauge) =>
        Number(new RegExp(`^lro_gateway_${gauge} (\\d+)$`, "m").exec(text)?.[1]),
      );
    };
    await expect.poll(metrics, { timeout: 20_000 }).toEqual([answers.length, requests]);
  };
  const get = (id: string) => client.getOperation({ name: name(id) });
  const wait = (id: string) => client.waitOperation({ name: name(id), timeout: { seconds: 60n } });
  await begin(1, get, "under-way");
  await begin(2, wait, "polled");
  await begin(3, wait, "asked-for");
  await begin(4, get, "first");
  await begin(4, get, "asked-for");
  await begin(16, get, ...Array.from({ length: 12 }, (_, n) => `later-${n}`));
  for (let n = 0; n < answers.length - 1; n++) {
    await expect.poll(() => held.length, { timeout: 20_000 }).toBe(n + 1);
    held[n]!();
  }
  await Promise.all(answers);
  const order = upstream.requests.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  expect(order.slice(0, 3)).toEqual(["under-way", "first", "asked-for"]);
  expect(order.indexOf("polled"), "after seven calls that had waited").toBe(8);
  expect(order, "one read was enough for the wait and the call").toHaveLength(answers.length - 1);
  await gateway.drain();
  await upstream.close();
});
