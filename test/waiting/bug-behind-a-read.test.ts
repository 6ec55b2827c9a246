import { expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { loadConfig } from "../../src/config/load.ts";
import { observerStages } from "../../src/gateway/observer-stages.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { systemClock as clock } from "../../src/lib/clock.ts";
import { BugLog } from "../../src/observe/bug-log.ts";
import { createOperationsHandlers } from "../../src/operations/operations-service.ts";
import { createWatcherHandlers } from "../../src/operations/watcher-service.ts";
import { defineService } from "../../src/rpc/handler.ts";
import { createRouter } from "../../src/rpc/router.ts";
import type { OperationsApi } from "../../src/upstream/operations-api.ts";
import { WaitingEngine } from "../../src/waiting/engine.ts";
import { callInMemory } from "../support/in-memory.ts";

const NAME = "projects/p/locations/l/datasets/d/operations/1";

/** The gateway's RPCs over an upstream stage that fails in a way it should not, and what is logged of that. */
function setUp() {
  const bug = new TypeError("Cannot read properties of undefined (reading 'secret')");
  const broken = () => Promise.reject(bug);
  const api: OperationsApi = {
    check() {},
    get: broken,
    list: broken,
    cancel: (_name, _call, told) => told.reject(bug),
    delete: broken,
  };
  const loaded = loadConfig({ file: undefined, env: {}, flags: {} });
  if ("problems" in loaded) throw new Error("the defaults are wrong");
  const config = loaded.config.waiting;
  const engine = new WaitingEngine({ api, clock, random: Math.random, config, credentials: "none" });
  const causes: string[] = [];
  const log = new BugLog({ error: (_message, fields) => causes.push(String(fields?.["cause"])) });
  const services = [
    defineService(Operations, createOperationsHandlers(engine)),
    defineService(OperationWatcher, createWatcherHandlers(engine)),
  ];
  return { app: createRouter(services, { registry, clock, stages: observerStages([log]) }), causes };
}

it.each([
  ["google.longrunning.Operations/GetOperation", { name: NAME }, "internal", "GATEWAY_BUG"],
  ["google.longrunning.Operations/ListOperations", { name: NAME.slice(0, 40) }, "internal", "GATEWAY_BUG"],
  ["google.longrunning.Operations/CancelOperation", { name: NAME }, "internal", "GATEWAY_BUG"],
  ["google.longrunning.Operations/DeleteOperation", { name: NAME }, "internal", "GATEWAY_BUG"],
  [
    "google.longrunning.Operations/WaitOperation",
    { name: NAME, timeout: "0s" },
    "unavailable",
    "NOTHING_READ",
  ],
  [
    "lrogateway.v1.OperationWatcher/CancelAndWait",
    { name: NAME, timeout: "0.2s" },
    "unavailable",
    "CANCEL_UNRESOLVED",
  ],
])(
  "a bug behind %s keeps what it says from the caller, and stands in the log once",
  async (method, request, code, reason) => {
    const { app, causes } = setUp();
    const answer = await callInMemory(app, {
      target: `/${method}`,
      headers: { "content-type": "application/json" },
      body: [Buffer.from(JSON.stringify(request))],
    });
    const text = String(answer.body);
    const error = JSON.parse(text);
    expect([error.code, error.details[0].debug.reason]).toEqual([code, reason]);
    expect(text).not.toContain("secret");
    expect(causes).toHaveLength(1);
    expect(causes[0]).toMatch(/^TypeError: Cannot read properties of undefined \(reading 'secret'\)\n +at /);
  },
);
