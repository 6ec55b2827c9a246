/**
 * A server of its own process for tests that attack one: the echo service on the gateway's listener and RPC path.
 * Takes its options as JSON in the first argument, tells its address to its parent, and answers `report` with what
 * the attack has cost so far.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type ListenerOptions, startListener } from "../../src/listen/listener.ts";
import type { CallLimits } from "../../src/rpc/limits.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { echo, echoRegistry, echoService } from "./echo-service.ts";

export interface EchoServerOptions {
  readonly listener?: Partial<Pick<ListenerOptions, "listen" | "limits" | "http1" | "http2" | "tls">>;
  readonly limits?: Partial<CallLimits>;
}

/** What a server has gone through since the last report. */
export interface ServerReport {
  /** The most CPU that the event loop spent without coming up for air, in milliseconds. */
  readonly longestTurnMs: number;
  /** How late the event loop came to its timers by the clock, in the middle of all times, in milliseconds. */
  readonly loopDelayMs: number;
  /** The most memory held at one time, in MiB. */
  readonly rssMiB: number;
  /** Memory in use now, after a full collection, in MiB. */
  readonly heldMiB: number;
  /** What keeps the process alive now: sockets, timers and the like. */
  readonly handles: number;
  /** How often the handler ran. */
  readonly handled: number;
  readonly openCalls: number;
  readonly connections: number;
}

const options: EchoServerOptions = JSON.parse(process.argv[2] ?? "{}");
let handled = 0;
let longestTurnMs = 0;
let rss = 0;
const loopDelay = monitorEventLoopDelay({ resolution: 2 });
loopDelay.enable();

const ASK_FOR_HEADER = "header ";

const service = echoService({
  say: (message, call) => {
    handled++;
    // Asks what the handler sees of a field of the request.
    if (message.text.startsWith(ASK_FOR_HEADER))
      return echo({ text: call.header(message.text.slice(ASK_FOR_HEADER.length)) ?? "unseen" });
    // `times` asks for a large answer.
    return message.times > 0 ? echo({ data: new Uint8Array(message.times) }) : message;
  },
  // Says what it was asked once, and then nothing for ever.
  repeat: ({ text }) => {
    handled++;
    let left = 1;
    return { open() {}, pull: () => (left-- > 0 ? echo({ text }) : undefined), end: undefined, close() {} };
  },
});
const router = createRouter([service], { registry: echoRegistry, limits: options.limits ?? {} });
const listener = await startListener({ listen: "127.0.0.1:0", ...options.listener }, router);

// CPU time and not time: a busy machine must not look like a blocked loop.
let before = process.threadCpuUsage();
setInterval(() => {
  const spent = process.threadCpuUsage(before);
  before = process.threadCpuUsage();
  longestTurnMs = Math.max(longestTurnMs, (spent.user + spent.system) / 1_000);
  rss = Math.max(rss, process.memoryUsage.rss());
}, 1);

process.on("message", () => {
  const loopDelayMs = loopDelay.percentile(50) / 1e6;
  // Before the collection, which is none of the attack's.
  const turnMs = longestTurnMs;
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const report: ServerReport = {
    longestTurnMs: turnMs,
    loopDelayMs,
    rssMiB: rss / 2 ** 20,
    heldMiB: (heapUsed + external) / 2 ** 20,
    handles: process.getActiveResourcesInfo().length,
    handled,
    openCalls: router.openCalls,
    connections: listener.connections,
  };
  longestTurnMs = 0;
  before = process.threadCpuUsage();
  loopDelay.reset();
  rss = process.memoryUsage.rss();
  process.send?.(report);
});
process.on("disconnect", () => process.exit());
process.send?.(listener.address);
