import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Operations } from "../../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { type CliProcess, startCli, startServe } from "../../support/cli-process.ts";

/** The emulator and the gateway, each a process of its own, as a user runs them. */
export interface BenchWorld {
  readonly emulator: CliProcess;
  readonly endpoint: string;
  gateway: CliProcess & { readonly address: string };
  stop(): Promise<void>;
}

/** One request in the emulator's log, as far as the bench looks at it. */
export interface LoggedRequest {
  readonly method: string;
  readonly status?: number;
  readonly receivedAt: number;
  readonly name: string;
}

/** Starts both. `env` is for the gateway. */
export async function startWorld(env: Record<string, string> = {}): Promise<BenchWorld> {
  const emulator = startCli(["emulator", "--listen", "127.0.0.1:0", "--no-demo"]);
  const [, endpoint = ""] = await emulator.matches(/(http:\/\/127\.0\.0\.1:\d+)/);
  const world: BenchWorld = {
    emulator,
    endpoint,
    gateway: await startGateway(endpoint, env),
    async stop() {
      world.gateway.child.kill();
      emulator.child.kill();
      await Promise.all([world.gateway.ended, emulator.ended]);
    },
  };
  return world;
}

/** Starts a gateway in front of an emulator that runs. */
export function startGateway(
  endpoint: string,
  env: Record<string, string> = {},
  args: readonly string[] = [],
) {
  return startServe(args, {
    env: { LRO_GATEWAY_UPSTREAM_ENDPOINT: endpoint, LRO_GATEWAY_UPSTREAM_CREDENTIALS: "none", ...env },
  });
}

/** Calls the emulator's control endpoint. */
export async function control(endpoint: string, method: string, path: string, body?: object): Promise<never> {
  const answer = await fetch(`${endpoint}/emulator/v1${path}`, {
    method,
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  // The endpoint is ours, and each caller knows what it asked for.
  return JSON.parse(text || "{}") as never;
}

/** The requests of a method that the emulator has seen, oldest first; it remembers ten thousand. */
export async function requestsOf(endpoint: string, method: string): Promise<LoggedRequest[]> {
  const answer: { requests: (Omit<LoggedRequest, "receivedAt"> & { receivedAt: string | number })[] } =
    await control(endpoint, "GET", `/requests?method=${method}&limit=10000`);
  return answer.requests.map((request) => ({
    ...request,
    receivedAt: new Date(request.receivedAt).getTime(),
  }));
}

export const PROTOCOLS = ["gRPC", "gRPC-Web", "Connect"] as const;

/** Calls on one HTTP/2 connection at most; the gateway takes a hundred. */
const PER_CONNECTION = 90;

/** Makes clients of all protocols in turn, with so many connections that none has too many streams. */
export function clientsOf(address: string) {
  const transports = new Map<string, Transport>();
  const transportOf = (n: number): Transport => {
    const protocol = n % PROTOCOLS.length;
    const key = `${protocol} ${Math.floor(n / PROTOCOLS.length / PER_CONNECTION)}`;
    let transport = transports.get(key);
    if (!transport) {
      const options = { baseUrl: `http://${address}`, httpVersion: "2" as const };
      transport =
        protocol === 0
          ? createGrpcTransport(options)
          : protocol === 1
            ? createGrpcWebTransport(options)
            : createConnectTransport(options);
      transports.set(key, transport);
    }
    return transport;
  };
  return {
    operations: (n: number) => createClient(Operations, transportOf(n)),
    watcher: (n: number) => createClient(OperationWatcher, transportOf(n)),
  };
}

/** The value below which that share of all lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}
