import { connect, createServer, type Socket } from "node:net";
import { Silence } from "./silence.ts";

/** A TCP proxy that cuts connections, as load balancers and meshes do. */
export interface CuttingProxy {
  /** `host:port` to call. */
  readonly address: string;
  /** Connections cut because the server was silent, and because they were old. */
  readonly cuts: { idle: number; age: number };
  close(): Promise<void>;
}

/** When a connection is cut, milliseconds; read anew for each connection. */
export interface CutRules {
  /** Nothing has come from the server for so long. */
  readonly idleMs: number;
  /** So long after it was made, whatever happens on it. */
  readonly ageMs: number;
}

/** Starts one in front of `target` (`host:port`). Cuts are resets: neither side hears a farewell. */
export async function startCuttingProxy(target: string, rules: CutRules): Promise<CuttingProxy> {
  const [host = "", port = ""] = target.split(":");
  const cuts = { idle: 0, age: 0 };
  const open = new Set<Socket>();
  const server = createServer((caller) => {
    const gateway = connect(Number(port), host);
    const end = (): void => {
      idle.stop();
      clearTimeout(age);
      for (const socket of [caller, gateway]) {
        open.delete(socket);
        socket.destroyed || socket.resetAndDestroy();
      }
    };
    const cut = (why: keyof typeof cuts): void => {
      cuts[why]++;
      end();
    };
    const idle = new Silence(rules.idleMs, () => cut("idle"));
    const age = setTimeout(() => cut("age"), rules.ageMs);
    gateway.on("data", () => idle.heard());
    for (const socket of [caller, gateway]) {
      open.add(socket);
      socket.on("error", end).on("close", end);
    }
    caller.pipe(gateway);
    gateway.pipe(caller);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    address: `127.0.0.1:${address.port}`,
    cuts,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
