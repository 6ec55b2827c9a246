import { request } from "node:http";
import { join } from "node:path";
import { startPinned } from "./server-process.ts";

/** The upstream of the bench as a process. */
export interface Upstream {
  readonly port: number;
  /** How many requests it has answered. */
  count(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts it on a core. */
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
