import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A process of the bench that listens. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  /** Milliseconds from its start to the line that says it listens. */
  readonly startMs: number;
  /** CPU seconds used so far, of its whole tree. */
  cpu(): number;
  /** The same for each of its processes, the first one first. */
  cpuOfEach(): number[];
  /** Resident memory of its whole tree, KiB. */
  resident(): number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** What to start. */
export interface Command {
  readonly args: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it listens, for programs that do not say so. */
  readonly port?: number;
}

const running = new Set<ChildProcess>();

// However the bench ends, none of its servers outlives it.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));

/** Starts a process on one core, or on a list of them, and waits until it listens. */
export async function startPinned(core: number | string, command: Command): Promise<ServerProcess> {
  const began = performance.now();
  // A file, as a user's service manager or shell would give it: the log must not cost the generator's core.
  const log = openSync(join(mkdtempSync(join(tmpdir(), "bench-")), "stderr.log"), "a");
  const child = spawn("taskset", ["-c", String(core), ...command.args], {
    stdio: ["ignore", "pipe", log],
    env: { ...process.env, ...command.env },
  });
  closeSync(log);
  running.add(child);
  child.once("exit", () => running.delete(child));
  const port = await listening(child, command.port);
  return {
    pid: child.pid!,
    port,
    startMs: performance.now() - began,
    cpu: () => sum(child.pid!, cpuOf),
    cpuOfEach: () => treeOf(child.pid!).map(cpuOf),
    resident: () => sum(child.pid!, residentOf),
    stop: (signal = "SIGKILL") =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        child.kill(signal);
      }),
  };
}

function listening(child: ChildProcess, port: number | undefined): Promise<number> {
  let output = "";
  return new Promise((resolve, reject) => {
    const onText = (text: Buffer): void => {
      output += text;
      const said = /listening on \S*:(\d+)/.exec(output)?.[1];
      if (said) resolve(Number(said));
    };
    child.stdout!.on("data", onText);
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`${child.spawnargs.join(" ")} ended:\n${output}`)));
    if (port !== undefined) void answering(port).then(() => resolve(port), reject);
  });
}

async function answering(port: number): Promise<void> {
  const { connect } = await import("node:net");
  for (let tries = 0; tries < 400; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nothing listens on port ${port}`);
}

function sum(pid: number, of: (pid: number) => number): number {
  return treeOf(pid).reduce((all, one) => all + of(one), 0);
}

/** A process and all below it. */
function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
}

/** In nanoseconds, where proc_pid_stat(5) would round to hundredths of a second: schedstat of all threads. */
function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e9;
}

function residentOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}
