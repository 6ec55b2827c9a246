import { openSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { observerStages } from "../../src/gateway/observer-stages.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { App } from "../../src/listen/transport.ts";
import { AccessLog } from "../../src/observe/access-log.ts";
import { createLog } from "../../src/observe/log.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { createCorsPolicy } from "../../src/rpc/cors/policy.ts";
import { defineService } from "../../src/rpc/handler.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { callInMemory, type MemoryRequest } from "../support/in-memory.ts";
import { CELLS, type Cell, cellName, pathOf, requestBodies, WIRES } from "./cells.ts";

/** What the RPC path costs by itself in one cell. */
export interface PathCost {
  readonly cell: string;
  /** Microseconds of CPU per call, of each round. */
  readonly cpuMicros: readonly number[];
}

const CALLS = 20_000;
const WARM_UP_CALLS = 100_000;

/**
 * The RPC path without sockets and without an upstream: calls of CancelOperation on the in-memory carrier, whose
 * handler answers at once; with deadline, access log and metrics, as by default.
 */
export async function measurePath(rounds: number): Promise<PathCost[]> {
  const app = createApp();
  const cells = CELLS.filter(({ method, carrier }) => method === "CancelOperation" && !WIRES[carrier].tls);
  const requests = new Map(cells.map((cell) => [cell, requestsOf(cell)]));
  const measured = new Map<Cell, number[]>(cells.map((cell) => [cell, []]));
  for (const cell of cells) await callAll(app, requests.get(cell) ?? [], WARM_UP_CALLS);
  for (let round = 0; round < rounds; round++)
    for (const cell of cells) {
      const before = process.cpuUsage();
      await callAll(app, requests.get(cell) ?? [], CALLS);
      const { user, system } = process.cpuUsage(before);
      measured.get(cell)?.push((user + system) / CALLS);
    }
  return cells.map((cell) => ({ cell: cellName(cell), cpuMicros: measured.get(cell) ?? [] }));
}

function createApp(): App {
  const log = createLog("info", openSync("/dev/null", "w"));
  const accessLog = new AccessLog({
    clock: systemClock,
    pid: process.pid,
    write: (lines) => log.write(lines),
  });
  const empty = create(EmptySchema);
  return createRouter([defineService(Operations, { cancelOperation: () => empty })], {
    registry,
    clock: systemClock,
    cors: createCorsPolicy([], []),
    stages: observerStages([accessLog, new Metrics(systemClock)]),
  });
}

function requestsOf(cell: Cell): MemoryRequest[] {
  const { http, contentType, headers } = WIRES[cell.carrier];
  return requestBodies(cell).map((body) => ({
    target: pathOf(cell),
    headers: { "content-type": contentType, "content-length": String(body.length), ...headers },
    body: [body],
    httpVersion: http === 2 ? "2" : "1.1",
  }));
}

/** A hundred at a time, as the cells over sockets have them. */
async function callAll(app: App, requests: readonly MemoryRequest[], calls: number): Promise<void> {
  for (let done = 0; done < calls; done += 100) {
    const answers = [];
    for (let i = 0; i < 100; i++)
      answers.push(callInMemory(app, requests[(done + i) % requests.length] as MemoryRequest));
    for (const { status } of await Promise.all(answers))
      if (status !== 200) throw new Error(`HTTP ${status}`);
  }
}
