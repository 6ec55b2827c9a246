import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { type RunningEmulator, startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type CliProcess, type Ended, startCommand, startServe } from "../support/cli-process.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { startGatewayOnEmulator } from "../support/gateway-on-emulator.ts";
import { startRefusingServer } from "../support/refusing-server.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { type SwitchingProxy, startSwitchingProxy } from "../support/switching-proxy.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/** A program of docs/waiting.md: what is run before its arguments. */
export interface Program {
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly protocol: "grpc" | "connect";
}

/** Heartbeats of the gateways here, so that silence shows within seconds. */
const HEARTBEAT_SECONDS = "0.5";
const FLAGS = { "waiting.heartbeat": `${HEARTBEAT_SECONDS}s`, "drain.timeout": "0s" };

const DATASET = "projects/p/locations/l/datasets/scenarios";

function run({ title, command, args }: Program, address: string, name: string): CliProcess {
  const heartbeat = /wait|cancel/.test(title) ? [] : [HEARTBEAT_SECONDS];
  return startCommand(command, [...args, address, name, ...heartbeat]);
}

/** With the heartbeat that a program has by itself, so that none takes a slow answer for silence and asks again. */
function runPatiently({ command, args }: Program, address: string, name: string): CliProcess {
  return startCommand(command, [...args, address, name]);
}

/** What Node.js says of TypeScript that it runs is no error of a program. */
function complaints({ stderr }: Ended): string {
  return stderr.replace(/^.*ExperimentalWarning.*\n.*\n/gm, "");
}

/** An emulator, a gateway in front of it, and a network that the test plays. */
async function withWorld(
  flags: Readonly<Record<string, string>>,
  act: (world: { emulator: RunningEmulator; proxy: SwitchingProxy; address: string }) => Promise<void>,
): Promise<void> {
  const { emulator, gateway, close } = await startGatewayOnEmulator({ ...FLAGS, ...flags });
  const proxy = await startSwitchingProxy(gateway.address);
  try {
    await act({ emulator, proxy, address: gateway.address });
  } finally {
    await proxy.close();
    await close();
  }
}

/** An emulator, a gateway, and a proxy in front of it that cuts each connection when chance says so. */
async function behindCuts(
  act: (world: { emulator: RunningEmulator; address: string; told: () => string }) => Promise<void>,
): Promise<void> {
  const seed = Number(process.env["CUTS_SEED"] ?? Math.floor(Math.random() * 1e6));
  const random = new SeededRandom(seed);
  const { emulator, gateway, close } = await startGatewayOnEmulator(FLAGS);
  let connections = 0;
  const proxy = await startCuttingProxy(gateway.address, {
    idleMs: 60_000,
    // Read for each connection. Many do not live to carry a message, the first never to the end.
    get ageMs() {
      const long = connections++ > 0 && random.chance(1 / 3);
      return long ? random.between(1_000, 2_000) : random.between(0, 800);
    },
  });
  const told = (): string => `CUTS_SEED=${seed}, ${proxy.cuts.age} cuts`;
  try {
    await act({ emulator, address: proxy.address, told });
    expect(proxy.cuts.age, told()).toBeGreaterThan(0);
    console.log(told());
  } finally {
    await proxy.close();
    await close();
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** It ended well, and said so once. */
async function expectSuccess(running: CliProcess): Promise<string[]> {
  const ended = await running.ended;
  expect([ended.code, complaints(ended)]).toEqual([0, ""]);
  const lines = ended.stdout.trimEnd().split("\n");
  expect(lines.filter((line) => line.startsWith("SUCCEEDED"))).toHaveLength(1);
  return lines;
}

/** What each program that watches one operation must stand; titles are promises. */
export const WATCH_SCENARIOS: Readonly<Record<string, (program: Program) => Promise<void>>> = {
  "attaches again when the stream is cut in the middle": (program) =>
    withWorld({}, async ({ emulator, proxy }) => {
      const name = emulator.emulator.createOperation({ dataset: DATASET, durationMs: null });
      const running = run(program, proxy.address, name);
      await running.matches(/RUNNING/);
      for (let cuts = 1; cuts <= 3; cuts++) {
        proxy.cut();
        await until(() => proxy.connections > cuts);
      }
      emulator.emulator.finishOperation(name);
      await expectSuccess(running);
    }),

  "attaches again when the gateway is killed and started again": async (program) => {
    const emulator = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
    const name = emulator.emulator.createOperation({ dataset: DATASET, durationMs: null });
    const env = {
      LRO_GATEWAY_UPSTREAM_ENDPOINT: emulator.endpoint,
      LRO_GATEWAY_UPSTREAM_CREDENTIALS: "none",
    };
    let gateway = await startServe([], { env });
    try {
      const running = run(program, gateway.address, name);
      await running.matches(/RUNNING/);
      gateway.child.kill("SIGKILL");
      await gateway.ended;
      // The operation ends while there is no gateway.
      emulator.emulator.finishOperation(name);
      gateway = await startServe(["--listen", gateway.address], { env });
      await expectSuccess(running);
    } finally {
      gateway.child.kill();
      await gateway.ended;
      await emulator.close();
    }
  },

  "ends once behind a proxy that cuts at random": (program) =>
    behindCuts(async ({ emulator, address, told }) => {
      const name = emulator.emulator.createOperation({ dataset: DATASET, durationMs: 4_000 });
      const { code, stdout, ...rest } = await run(program, address, name).ended;
      const ends = stdout.split("\n").filter((line) => line.startsWith("SUCCEEDED"));
      expect([code, complaints({ code, stdout, ...rest }), ends.length], told()).toEqual([0, "", 1]);
    }),

  "takes a silent stream for dead after three heartbeats": (program) =>
    withWorld({}, async ({ emulator, proxy }) => {
      const name = emulator.emulator.createOperation({ dataset: DATASET, durationMs: null });
      const running = run(program, proxy.address, name);
      await running.matches(/RUNNING/);
      const { connections } = proxy;
      proxy.freeze();
      await until(() => proxy.connections > connections);
      emulator.emulator.finishOperation(name);
      await expectSuccess(running);
    }),

  "drops what another replica has read earlier": (program) =>
    withWorld({}, async ({ emulator, proxy }) => {
      const other = await startTestGateway(emulator.endpoint, FLAGS);
      const leave = new AbortController();
      try {
        // Old enough to be read every 20 s only.
        const name = emulator.emulator.createOperation({
          dataset: DATASET,
          durationMs: 120_000,
          ageMs: 60_000,
        });
        const transport = createGrpcTransport({ baseUrl: `http://${other.address}` });
        const early = createClient(OperationWatcher, transport)
          .watchOperation({ name }, { signal: leave.signal })
          [Symbol.asyncIterator]();
        await early.next();
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        const running = run(program, proxy.address, name);
        await running.matches(/RUNNING/);
        proxy.target = other.address;
        proxy.cut();
        await until(async () => (await watchesOf(other.address)) === 2);
        // Its first message, the state as read before the other gateway's, is on its way or there.
        await new Promise((resolve) => setTimeout(resolve, 300));
        emulator.emulator.finishOperation(name);
        // Any read reaches those who watch.
        await createClient(Operations, transport).getOperation({ name });
        const lines = await expectSuccess(running);
        const fractions = lines.slice(0, -1).map((line) => Number(line.replace("RUNNING ", "")));
        expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
      } finally {
        leave.abort();
        await other.drain();
      }
    }),

  "comes back when the gateway is full and names a time": (program) =>
    withWorld({ "waiting.max_watches": "1" }, async ({ emulator, proxy, address }) => {
      const name = emulator.emulator.createOperation({ dataset: DATASET, durationMs: 1_000 });
      const leave = new AbortController();
      const transport = createGrpcTransport({ baseUrl: `http://${address}` });
      const only = createClient(OperationWatcher, transport)
        .watchOperation(
          { name: emulator.emulator.createOperation({ durationMs: null }) },
          { signal: leave.signal },
        )
        [Symbol.asyncIterator]();
      await only.next();
      const running = run(program, proxy.address, name);
      await until(() => proxy.connections > 0);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(running.stdout()).toBe("");
      leave.abort();
      await expectSuccess(running);
    }),

  "ends with NOT_FOUND, having asked once": (program) =>
    withWorld({}, async ({ emulator, proxy }) => {
      const name = emulator.emulator.createOperation({ dataset: DATASET, durationMs: null });
      const { code, stdout } = await runPatiently(program, proxy.address, `${name}1`).ended;
      expect([code === 0, stdout]).toEqual([false, ""]);
      expect(proxy.connections).toBe(1);
      expect(emulator.emulator.requests.entries().filter(({ method }) => method === "get")).toHaveLength(1);
    }),

  "ends with RESOURCE_EXHAUSTED that names no time, having asked once": async (program) => {
    const server = await startRefusingServer(program.protocol);
    const { code, stdout } = await runPatiently(program, server.address, `${DATASET}/operations/1`).ended;
    expect([code === 0, stdout]).toEqual([false, ""]);
    expect(server.calls).toBe(1);
    await server.close();
  },
};

/** What the program that watches a dataset must stand. */
export const COLLECTION_SCENARIOS: typeof WATCH_SCENARIOS = {
  "tells each end once behind a proxy that cuts at random": (program) =>
    behindCuts(async ({ emulator, address, told }) => {
      const names = [1, 3, 5].map((seconds) =>
        emulator.emulator.createOperation({ dataset: `${DATASET}-cut`, durationMs: seconds * 1_000 }),
      );
      const ended = await run(program, address, `${DATASET}-cut`).ended;
      expect([ended.code, complaints(ended)], told()).toEqual([0, ""]);
      const ends = ended.stdout.split("\n").filter((line) => line.startsWith("SUCCEEDED"));
      expect(ends.toSorted(), told()).toEqual(names.map((name) => `SUCCEEDED ${name}`).toSorted());
    }),

  "tells each end once, through cuts and silence": (program) =>
    withWorld({}, async ({ emulator, proxy }) => {
      const { emulator: upstream } = emulator;
      const names = [1, 2, 3].map(() => upstream.createOperation({ dataset: DATASET, durationMs: null }));
      const running = run(program, proxy.address, DATASET);
      await running.matches(/(?:RUNNING .*\n){3}/);
      const end = async (name: string): Promise<void> => {
        const { connections } = proxy;
        upstream.finishOperation(name);
        await until(() => proxy.connections > connections);
        await running.matches(new RegExp(`^SUCCEEDED ${name}$`, "m"));
      };
      const [first = "", second = "", third = ""] = names;
      proxy.cut();
      await end(first);
      proxy.freeze();
      await end(second);
      upstream.finishOperation(third);
      const ended = await running.ended;
      expect([ended.code, complaints(ended)]).toEqual([0, ""]);
      const lines = ended.stdout.trimEnd().split("\n");
      expect(lines.toSorted()).toEqual(
        ["ALL DONE", ...names.flatMap((name) => [`RUNNING ${name}`, `SUCCEEDED ${name}`])].toSorted(),
      );
    }),

  "ends with RESOURCE_EXHAUSTED when there are too many operations, having asked once": (program) =>
    withWorld({ "waiting.max_collection_operations": "2" }, async ({ emulator, proxy }) => {
      for (let id = 0; id < 3; id++)
        emulator.emulator.createOperation({ dataset: DATASET, durationMs: null });
      const { code, stdout } = await runPatiently(program, proxy.address, DATASET).ended;
      expect([code === 0, stdout]).toEqual([false, ""]);
      expect(proxy.connections).toBe(1);
    }),
};

/** What a program that waits in calls must stand; `end` is what it prints last. */
export const CALL_SCENARIOS: Readonly<Record<string, (program: Program, end: string) => Promise<void>>> = {
  "ends once behind a proxy that cuts at random": (program, end) =>
    behindCuts(async ({ emulator, address, told }) => {
      const durationMs = end === "SUCCEEDED" ? 4_000 : null;
      const name = emulator.emulator.createOperation({ dataset: DATASET, durationMs, cancelDelayMs: 4_000 });
      const ended = await run(program, address, name).ended;
      expect([ended.code, complaints(ended), ended.stdout], told()).toEqual([0, "", `${end}\n`]);
    }),

  "calls again when the gateway is killed and started again": async (program, end) => {
    const emulator = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
    const name = emulator.emulator.createOperation({
      dataset: DATASET,
      durationMs: end === "SUCCEEDED" ? 4_000 : null,
      cancelDelayMs: 4_000,
    });
    const env = {
      LRO_GATEWAY_UPSTREAM_ENDPOINT: emulator.endpoint,
      LRO_GATEWAY_UPSTREAM_CREDENTIALS: "none",
    };
    let gateway = await startServe([], { env });
    try {
      const running = run(program, gateway.address, name);
      await until(async () => (await watchesOf(gateway.address)) === 1);
      gateway.child.kill("SIGKILL");
      await gateway.ended;
      gateway = await startServe(["--listen", gateway.address], { env });
      const ended = await running.ended;
      expect([ended.code, complaints(ended), ended.stdout]).toEqual([0, "", `${end}\n`]);
    } finally {
      gateway.child.kill();
      await gateway.ended;
      await emulator.close();
    }
  },
};

async function watchesOf(address: string): Promise<number> {
  const page = await (await fetch(`http://${address}/metrics`)).text();
  return Number(/^lro_gateway_watches (\d+)$/m.exec(page)?.[1]);
}
