import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { runUntilStopped } from "../../src/cli/run-until-stopped.ts";
import type { Log } from "../../src/observe/log.ts";

/** A process that takes signals and tells how it was ended. */
class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): never {
    this.exits.push(code);
    return undefined as never; // The real one does not come back; here the caller goes on to its end.
  }
}

/** Keeps messages. */
function memoryLog() {
  const messages: string[] = [];
  const write = (message: string) => void messages.push(message);
  const log: Log = {
    debug: write,
    info: write,
    warn: write,
    error: write,
    enabled: () => true,
    write: () => undefined,
    flush: async () => {},
  };
  return { log, messages };
}

function setUp() {
  const process = new FakeProcess();
  const { log, messages } = memoryLog();
  const drained = Promise.withResolvers<void>();
  const time = { now: 0 };
  const state = { drains: 0 };
  const drain = () => {
    state.drains++;
    return drained.promise;
  };
  const code = runUntilStopped(
    async () => ({ drain }),
    log,
    process,
    () => time.now,
  );
  return { process, messages, drained, time, state, code };
}

it.each(["SIGTERM", "SIGINT", "SIGHUP"])("drains on %s and ends with 0", async (signal) => {
  const { process, drained, code, state, messages } = setUp();
  process.emit(signal);
  await Promise.resolve();
  drained.resolve();
  expect(await code).toBe(0);
  expect(state.drains).toBe(1);
  expect(process.exits).toEqual([]);
  expect(messages).toEqual(["draining", "drained"]);
});

it("takes a signal that arrives twice at nearly the same time for one", async () => {
  const { process, drained, time, code } = setUp();
  process.emit("SIGINT");
  time.now = 400;
  process.emit("SIGINT");
  process.emit("SIGTERM");
  drained.resolve();
  expect(await code).toBe(0);
  expect(process.exits).toEqual([]);
});

it("ends at once on a second signal, with the code that shells give it", async () => {
  const { process, drained, time, code } = setUp();
  process.emit("SIGTERM");
  time.now = 501;
  process.emit("SIGINT");
  process.emit("SIGTERM");
  await new Promise((resolve) => setImmediate(resolve));
  expect(process.exits).toEqual([130, 143]);
  drained.resolve();
  await code;
});

it("drains after a failure that nothing caught, and ends with 1", async () => {
  const { process, drained, code, state, messages } = setUp();
  process.emit("uncaughtException", new Error("bug"));
  drained.resolve();
  expect(await code).toBe(1);
  expect(state.drains).toBe(1);
  expect(messages[0]).toBe("unexpected failure; draining");
});

it("stops what a signal has met while it was starting", async () => {
  const process = new FakeProcess();
  const started = Promise.withResolvers<void>();
  let drains = 0;
  const running = { drain: async () => void drains++ };
  const code = runUntilStopped(
    () => started.promise.then(() => running),
    memoryLog().log,
    process,
    () => 0,
  );
  process.emit("SIGTERM");
  started.resolve();
  expect(await code).toBe(0);
  expect(drains).toBe(1);
});

it("reads the TLS key pair again on SIGHUP where there is one, also while it starts, and goes on", async () => {
  const process = new FakeProcess();
  const started = Promise.withResolvers<void>();
  const done: string[] = [];
  const running = {
    drain: async () => void done.push("drain"),
    renewKeyPair: () => void done.push("renew"),
  };
  const code = runUntilStopped(
    () => started.promise.then(() => running),
    memoryLog().log,
    process,
    () => 0,
  );
  process.emit("SIGHUP");
  started.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toEqual([]);
  process.emit("SIGHUP");
  process.emit("SIGHUP");
  expect(done).toEqual(["renew", "renew"]);
  process.emit("SIGTERM");
  process.emit("SIGHUP");
  expect(await code).toBe(0);
  expect(done).toEqual(["renew", "renew", "drain"]);
  expect(process.exits).toEqual([]);
});

it("stops what the closing of its terminal has met while it was starting", async () => {
  const process = new FakeProcess();
  const started = Promise.withResolvers<void>();
  const running = { drain: async () => {} };
  const code = runUntilStopped(
    () => started.promise.then(() => running),
    memoryLog().log,
    process,
    () => 0,
  );
  process.emit("SIGHUP");
  started.resolve();
  expect(await code).toBe(0);
});

it("passes on why the start failed", async () => {
  const failure = new Error("no port");
  const code = runUntilStopped(
    () => Promise.reject(failure),
    memoryLog().log,
    new FakeProcess(),
    () => 0,
  );
  await expect(code).rejects.toBe(failure);
});

it("takes warnings into the log, in place of the text that Node.js prints", async () => {
  const { process, messages } = setUp();
  let printed = 0;
  const early = new FakeProcess();
  early.on("warning", () => printed++);
  void runUntilStopped(
    async () => ({ drain: async () => {} }),
    memoryLog().log,
    early,
    () => 0,
  );
  early.emit("warning", new Error("old"));
  expect(printed).toBe(0);
  process.emit("warning", Object.assign(new Error("no metadata server"), { name: "MetadataLookupWarning" }));
  expect(messages).toEqual(["a warning of Node.js or of a library"]);
});
