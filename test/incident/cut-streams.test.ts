import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, expect, it, vi } from "vitest";
import {
  OperationWatcher,
  State,
  type WatchOperationResponse,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { follow } from "../../src/cli/reattach.ts";
import { startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type CutRules, startCuttingProxy } from "../support/cutting-proxy.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/**
 * Watches through a proxy that cuts connections, with the gateway restarted once in the middle. In life proxies cut
 * after 20 s of silence and every 90 s, with a heartbeat every 10 s; here it is a second or so.
 */

vi.setConfig({ testTimeout: 60_000 });

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const LIFE: CutRules = { idleMs: 1_500, ageMs: 3_500 };
const CLIENTS_PER_PROTOCOL = 4;

/** What a client saw. A stream that is cut soon, or finds no gateway, carries nothing. */
interface Seen {
  last: WatchOperationResponse | undefined;
  /** How many terminal messages each of its streams carried. */
  readonly terminals: number[];
}

/** Follows an operation by the rule of docs/waiting.md. Reads each stream to its end, terminal message or not. */
async function watchToTheEnd(transport: Transport, name: string): Promise<Seen> {
  const watcher = createClient(OperationWatcher, transport);
  const seen: Seen = { last: undefined, terminals: [] };
  async function* attach(signal: AbortSignal): AsyncGenerator<WatchOperationResponse> {
    const stream = seen.terminals.push(0) - 1;
    let terminal: WatchOperationResponse | undefined;
    for await (const message of watcher.watchOperation({ name }, { signal })) {
      if (!message.operation?.done) yield message;
      else {
        terminal = message;
        seen.terminals[stream] = (seen.terminals[stream] ?? 0) + 1;
      }
    }
    if (terminal) yield terminal;
  }
  const signal = AbortSignal.timeout(50_000);
  for await (const message of follow({ attach, signal, onLoss: () => {} })) {
    seen.last = message;
    if (message.operation?.done) break;
  }
  return seen;
}

/** Clients of all protocols on one operation, through the proxy; each on a connection of its own. */
async function startClients(heartbeat: string, rules: CutRules) {
  const emulator = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
  closing.push(() => emulator.close());
  const flags = { "waiting.heartbeat": heartbeat };
  let gateway = await startTestGateway(emulator.endpoint, flags);
  closing.push(() => gateway.drain());
  const proxy = await startCuttingProxy(gateway.address, rules);
  closing.push(() => proxy.close());
  // Old enough to be read every three seconds only, so that streams are silent but for their heartbeats.
  const name = emulator.emulator.createOperation({ durationMs: null, ageMs: 9_000 });
  const baseUrl = `http://${proxy.address}`;
  const open = [
    () => createGrpcTransport({ baseUrl }),
    () => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    () => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  ];
  const clients = open.flatMap((transport) =>
    Array.from({ length: CLIENTS_PER_PROTOCOL }, () => watchToTheEnd(transport(), name)),
  );
  return {
    proxy,
    clients,
    finish: () => emulator.emulator.finishOperation(name, "error"),
    async restart() {
      await gateway.drain();
      gateway = await startTestGateway(emulator.endpoint, { ...flags, listen: gateway.address });
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

it.concurrent.each([
  ["heartbeats that keep it from silence", "150ms"],
  ["no heartbeats, so that silence is cut too", "1h"],
])(
  "brings every client the terminal state, once a stream, through cuts and a restart, with %s",
  async (_, heartbeat) => {
    const { proxy, clients, finish, restart } = await startClients(heartbeat, LIFE);
    const all = CLIENTS_PER_PROTOCOL * 3;
    const cutsOf = (): number => (heartbeat === "1h" ? proxy.cuts.idle : proxy.cuts.age);
    await until(() => cutsOf() >= all / 2);
    await restart();
    const before = cutsOf();
    await until(() => cutsOf() >= before + all / 2);
    finish();
    for (const { last, terminals } of await Promise.all(clients)) {
      expect(last).toMatchObject({ state: State.FAILED, operation: { done: true } });
      expect(terminals.slice(0, -1).every((count) => count <= 1)).toBe(true);
      expect(terminals.at(-1)).toBe(1);
      expect(terminals.length).toBeGreaterThan(1);
    }
    // A silent stream is what heartbeats are against.
    if (heartbeat !== "1h") expect(proxy.cuts.idle).toBe(0);
  },
);
