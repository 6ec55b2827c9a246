/**
 * The process: arguments in, exit code out. Everything else is in cli/.
 */
import { programAsCalled } from "./cli/command-line.ts";
import { CommandError, EXIT } from "./cli/exit-codes.ts";
import type { CommandIo } from "./cli/io.ts";
import { runProgram } from "./cli/program.ts";
import { systemClock } from "./lib/clock.ts";
import { scrub } from "./observe/scrub.ts";

const outputGone = new AbortController();

const io: CommandIo = {
  program: programAsCalled(process.argv[1] ?? "lro-gateway", process.cwd(), process.env["PATH"]),
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  columns: process.stdout.columns,
  terminal: process.stdout.isTTY ? process.stdout : undefined,
  clock: systemClock,
  outputGone: outputGone.signal,
};

let writeFailure: NodeJS.ErrnoException | undefined;

// `lro-gateway list … | head` closes the pipe early, and that is no failure; a full disk is one. `serve` outlives both.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // What is written after it fails, too.
  if (error.code !== "EPIPE" && !outputGone.signal.aborted) writeFailure = error;
  outputGone.abort();
});
// Nobody could be told.
process.stderr.on("error", () => {});

void main().then(async (code) => {
  // That a write has failed is told after it.
  await new Promise(setImmediate);
  if (writeFailure) io.err(`lro-gateway: the output could not be written: ${writeFailure.message}\n`);
  process.exit(writeFailure ? EXIT.FAILED : code);
});

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
