/**
 * What access log and metrics cost a call: nanoseconds for each `finished`, the share of writing to a file among
 * them. Run it with `node test/bench/observers.ts`.
 */
import { openSync } from "node:fs";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { gatewayError } from "../../src/errors/reasons.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { AccessLog } from "../../src/observe/access-log.ts";
import { BugLog } from "../../src/observe/bug-log.ts";
import { createLog } from "../../src/observe/log.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import type { CallObserver, ObservedCall } from "../../src/observe/observed-call.ts";

/** Calls of one turn of the event loop, and turns of one round. */
const CALLS = 200;
const TURNS = 500;
const ROUNDS = 9;

const log = createLog("info", openSync("/dev/null", "w"));
const write = (lines: string) => log.write(lines);
const observers: Readonly<Record<string, CallObserver>> = {
  "access log": new AccessLog({ clock: systemClock, pid: process.pid, write }),
  metrics: new Metrics(systemClock),
  "bug log": new BugLog(log),
};

const call: ObservedCall = {
  method: Operations.method.cancelOperation,
  protocol: "grpc",
  openedAt: systemClock.monotonic(),
  peer: "127.0.0.1:51034",
  requestId: crypto.randomUUID(),
  requestBytes: 66,
  responseBytes: 0,
  responseMessages: 1,
  upstreamOutcome: { httpStatus: 200, attempts: 1 },
};

const NOT_FOUND = gatewayError("UPSTREAM_NOT_FOUND", "no such operation");

/** CPU of the process for each call, writing included, in nanoseconds. */
async function measure(observer: CallObserver): Promise<number> {
  const before = process.cpuUsage();
  for (let turn = 0; turn < TURNS; turn++) {
    for (let i = 0; i < CALLS; i++) observer.finished(call, i % 20 === 0 ? NOT_FOUND : undefined);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / (TURNS * CALLS);
}

for (const [name, observer] of Object.entries(observers)) {
  const results: number[] = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await measure(observer));
  results.sort((a, b) => a - b);
  console.log(`${name}: ${Math.round(results[ROUNDS >> 1] ?? 0)} ns a call (median of ${ROUNDS})`);
}
process.exit();
