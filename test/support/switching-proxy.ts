import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy that a test plays like a bad network: it cuts, freezes, and leads elsewhere. */
export interface SwitchingProxy {
  /** `host:port` to call. */
  readonly address: string;
  /** Where new connections lead, `host:port`. */
  target: string;
  /** Connections made so far. */
  readonly connections: number;
  /** Resets all connections: neither side hears a farewell. */
  cut(): void;
  /** Carries nothing more on the present connections, and leaves them open, as a firewall that has lost its state. */
  freeze(): void;
  close(): Promise<void>;
}

/** Starts one in front of `target`. */
export async function startSwitchingProxy(target: string): Promise<SwitchingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let connections = 0;
  const server = createServer((caller) => {
    connections++;
    const [host = "", port = ""] = proxy.target.split(":");
    const gateway = connect(Number(port), host);
    const pair = [caller, gateway] as const;
    const end = (): void => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroyed || socket.resetAndDestroy();
    };
    pairs.add(pair);
    for (const socket of pair) socket.on("error", end).on("close", end);
    caller.pipe(gateway);
    gateway.pipe(caller);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  const proxy: SwitchingProxy = {
    address: `127.0.0.1:${address.port}`,
    target,
    get connections() {
      return connections;
    },
    cut() {
      for (const [caller, gateway] of pairs) {
        caller.resetAndDestroy();
        gateway.resetAndDestroy();
      }
    },
    freeze() {
      for (const [caller, gateway] of pairs) {
        caller.unpipe(gateway).pause();
        gateway.unpipe(caller).pause();
      }
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      await closed;
    },
  };
  return proxy;
}
