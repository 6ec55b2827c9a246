import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, "..", "..");

/** The launcher, as people call it. */
export const LAUNCHER = join(ROOT, "bin", "lro-gateway");

/** How a command ended and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs as a process of its own. */
export interface CliProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written to stdout so far. */
  stdout(): string;
  /** What it has written to stderr so far. */
  stderr(): string;
  /** Resolves with the match once stdout matches; rejects with all output when the process ends before. */
  matches(pattern: RegExp): Promise<RegExpExecArray>;
}

/** How a process is started. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Arguments for Node.js itself. */
  readonly nodeArgs?: readonly string[];
  readonly launcher?: string;
  /** Puts it into a process group of its own, like a job of a shell. */
  readonly group?: boolean;
}

/** Starts a command. Variables in this process's own environment that would change what it does are not handed on. */
export function startCli(args: readonly string[], options: StartOptions = {}): CliProcess {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(?:LRO_GATEWAY_|GOOGLE_|https?_proxy$|NODE_COMPILE_CACHE$)/i.test(name),
  );
  return startCommand(
    process.execPath,
    [...(options.nodeArgs ?? []), options.launcher ?? LAUNCHER, ...args],
    options,
    { ...Object.fromEntries(own), ...options.env },
  );
}

/** Commands that have not ended. */
const running = new Set<ChildProcess>();

// A test that has run out of time leaves its commands behind; they must not outlive it. Test runners end their workers by
// SIGTERM, which is no exit to Node.js unless somebody listens.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
process.once("SIGTERM", () => process.exit(143));

/** Starts any command, from the root of the repository. */
export function startCommand(
  file: string,
  args: readonly string[],
  options: Pick<StartOptions, "cwd" | "group"> = {},
  env: NodeJS.ProcessEnv = process.env,
): CliProcess {
  const child = spawn(file, args, {
    cwd: options.cwd ?? ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: options.group ?? false,
  });
  running.add(child);
  child.on("exit", () => running.delete(child));
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    for (const look of watchers) look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const matches = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stdout);
        if (!match) return;
        watchers.delete(look);
        resolve(match);
      };
      watchers.add(look);
      look();
      void ended.then((end) => reject(new Error(`ended with ${end.code}:\n${end.stdout}\n${end.stderr}`)));
    });
  return { child, ended, stdout: () => stdout, stderr: () => stderr, matches };
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
  return startCli(args, options).ended;
}

/** Starts `serve` on a free port and waits until it listens. */
export async function startServe(
  args: readonly string[] = [],
  options: StartOptions = {},
): Promise<CliProcess & { readonly address: string }> {
  const running = startCli(["serve", "--listen", "127.0.0.1:0", ...args], options);
  const [, address = ""] = await running.matches(/listening on (\S+)\n/);
  return { ...running, address };
}
