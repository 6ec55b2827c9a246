/**
 * A server of its own process for tests that attack one: the echo service on the gateway's listener and RPC path.
 * Takes its options as JSON in the first argument, tells its address to its parent, and answers `report` with what
 * the attack has cost so far.
 */
import { type ListenerOptions, startListener } from "../../src/listen/listener.ts";
import { createRouter, type RouterOptions } from "../../src/rpc/router.ts";
import { echo, echoRegistry, echoService } from "./echo-service.ts";

export interface EchoServerOptions {
  readonly listener?: Partial<Pick<ListenerOptions, "listen" | "limits">>;
  readonly router?: Partial<
    Pick<RouterOptions, "requestArrivalMs" | "answerStallMs" | "requestMessageBytes">
  >;
}

/** What a server has gone through since the last report. */
export interface ServerReport {
  /** The most CPU that the event loop spent without coming up for air, in milliseconds. */
  readonly longestTurnMs: number;
  /** The most memory held at one time, in MiB. */
  readonly rssMiB: number;
  /** How often the handler ran. */
  readonly handled: number;
  readonly openCalls: number;
  readonly connections: number;
}

const options: EchoServerOptions = JSON.parse(process.argv[2] ?? "{}");
let handled = 0;
let longestTurnMs = 0;
let rss = 0;

const service = echoService({
  say: (message) => {
    handled++;
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
const router = createRouter([service], { registry: echoRegistry, ...options.router });
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
  const report: ServerReport = {
    longestTurnMs,
    rssMiB: rss / 2 ** 20,
    handled,
    openCalls: router.openCalls,
    connections: listener.connections,
  };
  longestTurnMs = 0;
  rss = process.memoryUsage.rss();
  process.send?.(report);
});
process.on("disconnect", () => process.exit());
process.send?.(listener.address);
