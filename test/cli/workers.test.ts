import { get } from "node:http";
import { createConnection, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { runCli, startServe } from "../support/cli-process.ts";
import { workersOf as children, listOnce as list } from "../support/worker-processes.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it("serves one port with several processes on one emulator, replaces one that is killed, and drains them all", async () => {
  const gateway = await startServe(["--workers", "2"]);
  const before = await children(gateway.child.pid);
  expect(before).toHaveLength(2);
  expect(gateway.stdout().match(/listening on/g)).toHaveLength(1);
  // Connections go to the workers in turn, and each knows the same operations.
  const seen = await Promise.all([1, 2, 3, 4].map(() => list(gateway.address)));
  expect(seen[0]?.length).toBeGreaterThan(0);
  expect(new Set(seen.map((names) => names.join())).size).toBe(1);

  process.kill(before[0] ?? 0, "SIGKILL");
  let after = before;
  while (after.length < 2 || after.includes(before[0] ?? 0)) {
    await list(gateway.address);
    after = await children(gateway.child.pid);
  }
  expect(after).toContain(before[1]);
  await Promise.all([1, 2, 3, 4].map(() => list(gateway.address)));

  gateway.child.kill("SIGTERM");
  const { code, stderr } = await gateway.ended;
  expect(code).toBe(0);
  expect(stderr).toContain("a worker has ended; another takes its place");
  for (const pid of after) expect(() => process.kill(pid, 0)).toThrow();
});

it("says once that the port is in use, with the exit code of one process", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const { code, stdout, stderr } = await runCli(["serve", "--workers", "2", "--listen", `127.0.0.1:${port}`]);
  other.close();
  expect([code, stdout]).toEqual([3, ""]);
  expect(stderr.match(/another process listens there/g)).toHaveLength(1);
});

it("leaves no worker behind when the first process is killed", async () => {
  const gateway = await startServe(["--workers", "2"]);
  const workers = await children(gateway.child.pid);
  gateway.child.kill("SIGKILL");
  await gateway.ended;
  const [host = "", port = ""] = gateway.address.split(":");
  const alive = () =>
    workers.filter((pid) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    });
  while (alive().length > 0) await pause(20);
  await expect(
    new Promise((resolve, reject) => {
      createConnection(Number(port), host).on("connect", resolve).on("error", reject);
    }),
  ).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

describe("/metrics of several processes", () => {
  /** What a scrape says of calls, over a connection of its own. */
  async function scrape(address: string): Promise<{ calls: number; processes: number; text: string }> {
    const text = await new Promise<string>((resolve, reject) => {
      const request = get(`http://${address}/metrics`, { agent: false }, (response) => {
        let body = "";
        response
          .setEncoding("utf8")
          .on("data", (chunk: string) => {
            body += chunk;
          })
          .on("end", () => resolve(body));
      });
      request.on("error", reject);
    });
    const calls = /^rpc_server_call_duration_seconds_count\{.*ListOperations.*"OK"\} (\d+)$/m.exec(text);
    return {
      calls: Number(calls?.[1] ?? 0),
      processes: Number(/^lro_gateway_processes (\d+)$/m.exec(text)?.[1]),
      text,
    };
  }

  it("shows their sums, whichever is asked, and sums never fall when a process dies", async () => {
    const gateway = await startServe(["--workers", "2"]);
    for (let call = 0; call < 7; call++) await list(gateway.address);
    for (const { calls, processes, text } of [await scrape(gateway.address), await scrape(gateway.address)]) {
      expect([calls, processes]).toEqual([7, 2]);
      // Cumulative buckets are added up as well, and what belongs to one process alone is left out.
      expect(text).toMatch(/_bucket\{le="\+Inf",.*ListOperations.*\} 7$/m);
      expect(text.match(/^process_resident_memory_bytes /gm)).toHaveLength(1);
      expect(text).not.toContain("process_start_time_seconds ");
    }
    const [first = 0] = await children(gateway.child.pid);
    process.kill(first, "SIGKILL");
    let now: { calls: number; processes: number };
    do {
      now = await scrape(gateway.address);
      expect(now.calls).toBe(7);
    } while (now.processes < 2);
    await list(gateway.address);
    expect((await scrape(gateway.address)).calls).toBe(8);
    gateway.child.kill("SIGTERM");
    expect((await gateway.ended).code).toBe(0);
  });
});
