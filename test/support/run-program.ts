import type { WriteStream } from "node:tty";
import { CommandError } from "../../src/cli/exit-codes.ts";
import type { CommandIo } from "../../src/cli/io.ts";
import { runProgram } from "../../src/cli/program.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { TimeUpOn } from "./time-up-on.ts";

/** A command run inside this process: what it wrote and its exit code. */
export interface ProgramRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command as main.ts does, without a process of its own; for commands that do not listen. */
export async function runInside(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  terminal?: WriteStream,
  time?: TimeUpOn,
): Promise<ProgramRun> {
  let stdout = "";
  let stderr = "";
  const io: CommandIo = {
    program: "lro-gateway",
    env,
    out: (text) => {
      stdout += text;
      time?.wrote(text);
    },
    err: (text) => {
      stderr += text;
    },
    columns: undefined,
    terminal,
    clock: time ?? systemClock,
  };
  const noProcess = {
    on: () => undefined,
    removeAllListeners: () => undefined,
    exit: (): never => {
      throw new Error("exit");
    },
  };
  try {
    const code = await runProgram(args, io, noProcess);
    return { code, stdout, stderr };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { code: error.exitCode, stdout, stderr: `${stderr}${error.prefix}${error.message}\n` };
  }
}
