import { fork } from "node:child_process";
import { once } from "node:events";
import type { EchoServerOptions, ServerReport } from "./echo-server.ts";

/** A running {@link file://./echo-server.ts}. */
export interface ChildServer {
  readonly port: number;
  readonly url: string;
  /** What has happened since the last report. Fails when the process is not alive any more. */
  report(): Promise<ServerReport>;
  stop(): void;
}

/** Starts an echo server in a process of its own, so that what attacks it costs only the attacker. */
export async function startEchoServer(options: EchoServerOptions = {}): Promise<ChildServer> {
  const child = fork(new URL("./echo-server.ts", import.meta.url), [JSON.stringify(options)], {
    execArgv: ["--disable-warning=ExperimentalWarning", "--expose-gc"],
  });
  const [address] = (await once(child, "message")) as [string];
  // One report at a time: an answer belongs to the question before it.
  let last: Promise<unknown> = Promise.resolve();
  const server: ChildServer = {
    port: Number(address.split(":").at(-1)),
    url: `http://${address}`,
    report() {
      const next = last.then(async () => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error("the server has died");
        child.send("report");
        const [report] = (await once(child, "message")) as [ServerReport];
        return report;
      });
      last = next.catch(() => {});
      return next;
    },
    stop: () => child.disconnect(),
  };
  // The first turns compile the code; they say nothing about the attack.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await server.report();
  return server;
}
