import { createServer, connect as dial, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { State } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { clientsOf, control, requestsOf, startGateway, startWorld } from "./world.ts";

const CLIENTS = 30;
const DURATION_MS = 200_000;
const IDLE_MS = 20_000;
const CUT_MS = 90_000;
const RESTART_MS = 110_000;
const DATASET = "projects/p/locations/l/datasets/d";
const TERMINAL: ReadonlySet<State> = new Set([
  State.SUCCEEDED,
  State.FAILED,
  State.CANCELLED,
  State.DONE_WITHOUT_RESULT,
]);

/** Clients of three protocols behind a proxy that cuts connections, and a gateway that is restarted once. */
export async function proxy(): Promise<boolean> {
  const world = await startWorld();
  const { endpoint } = world;
  const { address } = world.gateway;
  await control(endpoint, "POST", "/operations", { dataset: DATASET, id: "1", durationMs: DURATION_MS });
  const between = await startProxy(address);
  const clients = clientsOf(`127.0.0.1:${between.port}`);
  const watching = Array.from({ length: CLIENTS }, (_, n) => watchToTheEnd(clients, n));
  await sleep(RESTART_MS);
  world.gateway.child.kill();
  await world.gateway.ended;
  world.gateway = await startGateway(endpoint, {}, ["--listen", address]);
  const results = await Promise.all(watching);
  const reads = (await requestsOf(endpoint, "get")).length;
  between.close();
  await world.stop();
  const attaches = results.reduce((sum, { attaches }) => sum + attaches, 0);
  console.log(
    `   ${CLIENTS} clients: terminal states ${results.reduce((sum, { terminals }) => sum + terminals, 0)}, ` +
      `${(attaches / CLIENTS).toFixed(1)} attaches each, cut for silence ${between.silent()} times; ${reads} reads`,
  );
  return results.every(({ terminals }) => terminals === 1) && between.silent() === 0;
}

/** Attaches until it holds a terminal state, as docs/waiting.md says. */
async function watchToTheEnd(clients: ReturnType<typeof clientsOf>, n: number) {
  let terminals = 0;
  let attaches = 0;
  while (terminals === 0) {
    attaches++;
    let delayMs = 1_000;
    try {
      for await (const { state } of clients.watcher(n).watchOperation({ name: `${DATASET}/operations/1` }))
        if (TERMINAL.has(state)) terminals++;
    } catch (error) {
      const { code, ...rest } = ConnectError.from(error);
      if (![Code.Unavailable, Code.Unknown, Code.Internal, Code.Aborted, Code.Canceled].includes(code))
        throw rest;
      const told = ConnectError.from(error).findDetails(RetryInfoSchema)[0]?.retryDelay;
      if (told) delayMs = Number(told.seconds) * 1_000 + told.nanos / 1e6;
    }
    if (terminals === 0) await sleep(delayMs * (1 + Math.random()));
  }
  return { terminals, attaches };
}

/** Cuts connections on which the gateway sent nothing for twenty seconds, and all of them every ninety. */
async function startProxy(address: string) {
  const [host = "", port = ""] = address.split(":");
  const open = new Set<Socket>();
  let silent = 0;
  const server = createServer((client) => {
    const upstream = dial(Number(port), host);
    let timer = setTimeout(cutForSilence, IDLE_MS);
    function cut(): void {
      clearTimeout(timer);
      open.delete(client);
      client.destroy();
      upstream.destroy();
    }
    function cutForSilence(): void {
      silent++;
      cut();
    }
    upstream.on("data", () => {
      clearTimeout(timer);
      timer = setTimeout(cutForSilence, IDLE_MS);
    });
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on("error", cut).on("close", cut);
    client.on("cut", cut);
    open.add(client);
  });
  const interval = setInterval(() => {
    for (const client of open) client.emit("cut");
  }, CUT_MS);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound ? bound.port : 0,
    silent: () => silent,
    close() {
      clearInterval(interval);
      for (const client of open) client.emit("cut");
      server.close();
    },
  };
}
