import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { type CliProcess, startServe } from "../support/cli-process.ts";
import { OPERATION, startSlowUpstream } from "../support/slow-upstream.ts";
import { DATASET, listOnce, workersOf } from "../support/worker-processes.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-workers-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The log lines of a process that has ended. */
async function logOf({ ended }: CliProcess): Promise<Record<string, unknown>[]> {
  const lines = (await ended).stderr.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** What all workers together say of themselves on /metrics, over a connection of its own. */
async function gaugeOf(address: string, name: string): Promise<number> {
  const answer = await fetch(`http://${address}/metrics`, { headers: { connection: "close" } });
  return Number(new RegExp(`^lro_gateway_${name} (\\d+)$`, "m").exec(await answer.text())?.[1] ?? 0);
}

async function stop(gateway: CliProcess): Promise<void> {
  gateway.child.kill("SIGTERM");
  expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
}

it("`workers: auto` runs one process for each CPU", async () => {
  const gateway = await startServe(["--workers", "auto"]);
  const cpus = availableParallelism();
  expect(await workersOf(gateway.child.pid)).toHaveLength(cpus > 1 ? cpus : 0);
  await stop(gateway);
});

it.each(["TCP", "a Unix socket"])("connections go to the workers in equal parts over %s", async (kind) => {
  const path = join(directory, "port");
  const unix = kind === "a Unix socket";
  const gateway = await startServe(["--workers", "2", ...(unix ? ["--listen", `unix:${path}`] : [])]);
  for (let call = 0; call < 8; call++) {
    const transport = createConnectTransport({
      baseUrl: unix ? "http://localhost" : `http://${gateway.address}`,
      httpVersion: "2",
      ...(unix && { nodeOptions: { path } }),
    });
    await createClient(Operations, transport).listOperations({ name: DATASET });
  }
  await stop(gateway);
  const calls = new Map<unknown, number>();
  for (const { pid, method } of await logOf(gateway))
    if (method !== undefined) calls.set(pid, (calls.get(pid) ?? 0) + 1);
  expect([...calls.values()]).toEqual([4, 4]);
});

it("a connection on its way to a worker that dies is served by another", async () => {
  const gateway = await startServe(["--workers", "2"]);
  const [stuck = 0, other = 0] = await workersOf(gateway.child.pid);
  // It takes nothing from now on: the first connection whose turn it is stays with it, and further ones go past it.
  process.kill(stuck, "SIGSTOP");
  const calls: Promise<unknown>[] = [];
  let answered = 0;
  for (let call = 0; call < 4; call++) {
    const listing = listOnce(gateway.address, 30_000).then(() => answered++);
    calls.push(listing);
    await Promise.race([listing, pause(1_500)]);
  }
  while (answered < 3) await pause(20);
  process.kill(stuck, "SIGKILL");
  await Promise.all(calls);
  expect(await workersOf(gateway.child.pid)).toContain(other);
  await stop(gateway);
});

it("each new connection is served while workers are killed under load; a call on a dead one fails at once", async () => {
  const gateway = await startServe(["--workers", "2"]);
  const failures: ConnectError[] = [];
  let answered = 0;
  let going = true;
  const callers = Array.from({ length: 6 }, async () => {
    while (going)
      try {
        await listOnce(gateway.address, 20_000);
        answered++;
      } catch (error) {
        failures.push(ConnectError.from(error));
      }
  });
  for (let kill = 0; kill < 3; kill++) {
    const before = answered;
    while (answered < before + 20) await pause(5);
    // With one that still starts, all would wait for it.
    while ((await gaugeOf(gateway.address, "processes")) < 2) await pause(20);
    const [worker = 0] = await workersOf(gateway.child.pid);
    process.kill(worker, "SIGKILL");
  }
  const before = answered;
  while (answered < before + 20) await pause(5);
  going = false;
  await Promise.all(callers);
  // One connection of each caller at a time: no more than all of them at each kill, and none that had to wait.
  expect(failures.length).toBeLessThanOrEqual(3 * 6);
  for (const { code } of failures) expect(code).not.toBe(Code.DeadlineExceeded);
  await stop(gateway);
});

it("a worker that cannot come back is tried again ever later, while the others serve, and comes back once it can", async () => {
  const file = join(directory, "gateway.yaml");
  const good = "upstream: {endpoint: 'http://127.0.0.1:9', credentials: none}\n";
  writeFileSync(file, good);
  const gateway = await startServe(["--workers", "2", "--config", file]);
  const [first = 0, second = 0] = await workersOf(gateway.child.pid);
  writeFileSync(file, "upstream: {endpoint: nowhere}\n");
  process.kill(first, "SIGKILL");
  const client = createClient(Operations, createGrpcTransport({ baseUrl: `http://${gateway.address}` }));
  while ((gateway.stderr().match(/"delayMs"/g) ?? []).length < 4) {
    await expect(client.getOperation({ name: "x" })).rejects.toMatchObject({ code: Code.InvalidArgument });
    await pause(100);
  }
  writeFileSync(file, good);
  let workers: number[] = [];
  while (workers.length < 2) {
    await pause(50);
    workers = await workersOf(gateway.child.pid);
  }
  expect(workers).toContain(second);
  await stop(gateway);
  const delays = (await logOf(gateway)).map(({ delayMs }) => delayMs).filter((ms) => ms !== undefined);
  expect(delays).toEqual(delays.map((_, failure) => 100 * 2 ** failure));
});

it("SIGTERM drains all of them: waits and watches end with what is known or UNAVAILABLE and RetryInfo, none is cut", async () => {
  const upstream = await startSlowUpstream(15);
  const gateway = await startServe([
    ...["--workers", "2", "--upstream-endpoint", upstream.endpoint, "--upstream-credentials", "none"],
  ]);
  const ends = Array.from({ length: 8 }, async (_, index) => {
    // Every second connection is another worker's.
    const baseUrl = `http://${gateway.address}`;
    const transport =
      index < 4 ? createGrpcTransport({ baseUrl }) : createConnectTransport({ baseUrl, httpVersion: "1.1" });
    try {
      if (index % 4 < 2) return await createClient(Operations, transport).waitOperation({ name: OPERATION });
      for await (const _ of createClient(OperationWatcher, transport).watchOperation({ name: OPERATION }));
      return "ended";
    } catch (error) {
      return ConnectError.from(error);
    }
  });
  while ((await gaugeOf(gateway.address, "watches")) < ends.length) await pause(20);
  await stop(gateway);
  for (const end of await Promise.all(ends)) {
    if (end instanceof ConnectError) {
      expect(end.code).toBe(Code.Unavailable);
      expect(end.findDetails(RetryInfoSchema)).toHaveLength(1);
    } else expect(end).toMatchObject({ name: OPERATION, done: false });
  }
  await upstream.close();
});
