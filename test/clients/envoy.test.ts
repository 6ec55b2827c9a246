import { once } from "node:events";
import { connect } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { startServe } from "../support/cli-process.ts";
import { FaultServer } from "../support/fault-server.ts";
import { type EnvoyOptions, type RunningEnvoy, startEnvoy } from "./envoy.ts";

const { CLIENT_ENVOY: program = "" } = process.env;

const NAME = "projects/p/locations/l/datasets/d/operations/1";

/** How many callers call through Envoy at a time. */
const CALLERS = 20;

/** What a mesh needs of a gateway, through the proxy of one. scripts/clients.sh says when Envoy is left out. */
describe.runIf(program)("through Envoy", () => {
  let upstream: FaultServer;
  beforeAll(async () => {
    upstream = await FaultServer.start((_request, reply) => {
      setTimeout(() => reply.json(200, { name: NAME }), 5);
    });
  });
  afterAll(() => upstream.close());

  const serve = (...flags: string[]) =>
    startServe(["--upstream-endpoint", upstream.origin, "--upstream-credentials", "none", ...flags]);

  it("a wait without a deadline is answered before the timeout of the route cuts it", async () => {
    const gateway = await serve();
    const envoy = await startEnvoy(program, [gateway.address], { timeout: "2s" });
    const started = performance.now();
    const operation = await clientOf(envoy.address).waitOperation({ name: NAME });
    expect(operation).toMatchObject({ name: NAME, done: false });
    expect(performance.now() - started).toBeGreaterThan(1_500);
    await envoy.close();
    gateway.child.kill("SIGTERM");
    await gateway.ended;
  });

  it("no call fails while connections grow old", async () => {
    const gateway = await serve("--max-connection-age", "1s");
    const calls = await callsDuring([gateway.address], {}, async (envoy) => {
      while ((await envoy.connections()) <= 3) await sleep(100);
    });
    gateway.child.kill("SIGTERM");
    await gateway.ended;
    expect(calls).toBeGreaterThan(100);
  });

  it("no call fails when one of two gateways is told to stop, and says so for longer than Envoy takes to ask", async () => {
    const [leaving, staying] = await Promise.all([serve("--drain-lame-duck", "1s"), serve()]);
    const addresses = [leaving.address, staying.address];
    const calls = await callsDuring(addresses, { healthChecks: true }, async () => {
      await sleep(500);
      leaving.child.kill("SIGTERM");
      expect((await leaving.ended).code).toBe(0);
      await sleep(500);
    });
    staying.child.kill("SIGTERM");
    const { stderr } = await staying.ended;
    expect(calls).toBeGreaterThan(100);
    expect(stderr.split("\n").filter((line) => line.includes("GetOperation")).length).toBeGreaterThan(50);
  });

  it("metrics are not shown", async () => {
    const gateway = await serve();
    const envoy = await startEnvoy(program, [gateway.address]);
    const session = connect(`http://${envoy.address}`);
    const [headers] = await once(session.request({ ":path": "/metrics" }), "response");
    expect(headers[":status"]).toBe(403);
    session.destroy();
    await envoy.close();
    gateway.child.kill("SIGTERM");
    await gateway.ended;
  });
});

function clientOf(address: string) {
  return createClient(Operations, createGrpcTransport({ baseUrl: `http://${address}` }));
}

/** Calls through an Envoy while something happens. Rejects when a call fails; else says how many there were. */
async function callsDuring(
  gateways: string[],
  options: EnvoyOptions,
  what: (envoy: RunningEnvoy) => Promise<void>,
): Promise<number> {
  const envoy = await startEnvoy(program, gateways, options);
  const client = clientOf(envoy.address);
  let going = true;
  let calls = 0;
  const callers = Array.from({ length: CALLERS }, async () => {
    for (; going; calls++) expect((await client.getOperation({ name: NAME })).name).toBe(NAME);
  });
  try {
    await Promise.race([what(envoy), Promise.all(callers)]);
    going = false;
    await Promise.all(callers);
    return calls;
  } finally {
    going = false;
    await envoy.close();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
