/**
 * The process: arguments in, exit code out. Everything else is in cli/.
 */
import { programAsCalled } from "./cli/command-line.ts";
import { CommandError, EXIT } from "./cli/exit-codes.ts";
import type { CommandIo } from "./cli/io.ts";
import { runProgram } from "./cli/program.ts";
import { systemClock } from "./lib/clock.ts";
import { scrub } from "./observe/scrub.ts";

const io: CommandIo = {
  program: programAsCalled(process.argv[1] ?? "lro-gateway", process.cwd(), process.env["PATH"]),
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  columns: process.stdout.columns,
  terminal: process.stdout.isTTY ? process.stdout : undefined,
  clock: systemClock,
};

// `lro-gateway list … | head` closes the pipe early, and that is no failure. `serve` outlives its reader.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

void main().then((code) => process.exit(code));

async function main(): Promise<number> {
  try {
    return await runProgram(process.argv.slice(2), io, process);
  } catch (error) {
    if (error instanceof CommandError) {
      io.err(`${error.prefix}${error.message}\n`);
      return error.exitCode;
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    io.err(`lro-gateway: failed in a way it should not: ${scrub(text)}\n`);
    return EXIT.FAILED;
  }
}
