import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { startPinned } from "./server-process.ts";
import { answered, createUpstream } from "./upstream.ts";

/** The upstream of the bench. */
export interface Upstream {
  readonly port: number;
  /** How many requests it has answered. */
  count(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts it in this process. Where the generator and the upstream are two processes on one core, one waits for
 * milliseconds until the kernel has taken the core from the other; within one process both go on in each turn.
 */
export async function startUpstreamHere(): Promise<Upstream> {
  const server = createUpstream();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const before = answered();
  return {
    port: (server.address() as AddressInfo).port,
    count: async () => answered() - before,
    stop: async () => {
      server.close();
    },
  };
}

/** Starts it as a process of its own, on a core. */
export async function startUpstream(core: number): Promise<Upstream> {
  const { port, stop } = await startPinned(core, {
    args: [process.execPath, join(import.meta.dirname, "upstream.ts")],
  });
  const count = () =>
    new Promise<number>((resolve, reject) => {
      const asking = request({ port, host: "127.0.0.1", path: "/count", agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(Number(text)));
      });
      asking.on("error", reject).end();
    });
  return { port, count, stop };
}
