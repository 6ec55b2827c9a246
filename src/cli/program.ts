import { Command, CommanderError, Option } from "commander";
import { addConfigFlags } from "./configure.ts";
import { EXIT } from "./exit-codes.ts";
import type { CommandIo } from "./io.ts";
import type { ProcessEvents } from "./run-until-stopped.ts";
import { packageVersion } from "./version.ts";

/** What runs a command; its exit code. */
type Action = (args: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<number>;

/**
 * Runs the command that the arguments name (without node and script). Returns its exit code; throws what the command
 * throws. The code of a command is loaded when it runs, so that none pays for another's packages.
 */
export async function runProgram(
  args: readonly string[],
  io: CommandIo,
  process: ProcessEvents,
): Promise<number> {
  let exitCode: number = EXIT.OK;
  const program = setUp(new Command("lro-gateway"), io)
    .description("Serves google.longrunning.Operations over gRPC, gRPC-Web and Connect on one port.")
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", EXIT_CODES);
  const define = (usage: string, summary: string, action: Action): Command =>
    setUp(program.command(usage), io)
      .description(summary)
      .action(async (...given: unknown[]) => {
        // commander calls with the arguments, the options and the command itself.
        const positional = given.slice(0, -2).filter((value) => typeof value === "string");
        exitCode = await action(positional, given.at(-2) as Record<string, unknown>);
      });
  defineServers(define, io, process);
  defineClient(define, io);
  defineWaiting(define, io, process);
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // commander has printed the help, the version or the complaint; its codes do not tell complaints from failures.
    return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
  }
}

/** What every command has: version, help, complaints on stderr that end without a stack. */
function setUp(command: Command, io: CommandIo): Command {
  return command
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text, write) => write(text.replace(/^error: /, "lro-gateway: ")),
      getOutHelpWidth: () => io.columns ?? 100,
    });
}

type Define = (usage: string, summary: string, action: Action) => Command;

function defineServers(define: Define, io: CommandIo, process: ProcessEvents): void {
  addConfigFlags(
    define(
      "serve",
      "run the gateway; without upstream.endpoint, on an embedded emulator",
      async (_, options) => (await import("./serve.ts")).serve(options, io, process),
    ),
  );
  define("emulator", "run the emulator of the Healthcare operations API", async (_, options) => {
    const { runEmulator } = await import("./emulator.ts");
    return runEmulator({ listen: String(options["listen"]), demo: options["demo"] !== false }, io, process);
  })
    .option("--listen <HOST:PORT>", "where to listen; port 0 takes a free one", "127.0.0.1:8090")
    .option("--no-demo", "start without the demo dataset");
  addConfigFlags(
    define(
      "explain <method> <name>",
      "print the HTTP request that the gateway would send for a call",
      async ([method = "", name = ""], options) =>
        (await import("./explain.ts")).explain(method, name, options, io),
    ).option("--data <JSON>", "other fields of the request, as JSON"),
  );
  addConfigFlags(
    define("check-config", "check the configuration and print what results from it", async (_, options) =>
      (await import("./check-config.ts")).checkConfig(options, io),
    ),
  );
}

function defineClient(define: Define, io: CommandIo): void {
  addClientFlags(
    define("list <parent>", "list the operations of a dataset", async ([parent = ""], options) =>
      (await import("./list.ts")).list(parent, options, io),
    ),
  )
    .option("--filter <TEXT>", "only operations that match; handed to the API as it is")
    .option("--limit <N>", "stop after so many operations", "1000");
  addClientFlags(
    define("get <name>", "show an operation", async ([name = ""], options) =>
      (await import("./get.ts")).get(name, options, io),
    ),
  );
}

/** The commands that last until an operation is done. */
function defineWaiting(define: Define, io: CommandIo, process: ProcessEvents): void {
  addClientFlags(
    define("cancel <name>", "ask for the cancellation of an operation", async ([name = ""], options) =>
      options["wait"] === true
        ? (await import("./cancel-and-wait.ts")).cancelAndWait(name, options, io, process)
        : (await import("./cancel.ts")).cancel(name, options, io),
    ).option("--wait", "wait for what comes of it; the exit code tells"),
    "how long to wait for an answer (default: 30s), with --wait for the outcome (default: 10m)",
  );
  addClientFlags(
    define(
      "wait <name>",
      "wait until an operation is done; the exit code tells how",
      async ([name = ""], options) => (await import("./wait.ts")).wait(name, options, io, process),
    ),
    "how long to wait at most (default: until it is done)",
  );
  addClientFlags(
    define("watch <name>", "show what an operation, or all of a dataset, do", async ([name = ""], options) =>
      (await import("./watch.ts")).watch(name, options, io, process),
    ),
    "how long to watch at most (default: without end)",
  ).option("--filter <TEXT>", "of a dataset: only operations that match; handed to the API as it is");
}

/** The flags of every command that calls a gateway; `timeout` says what that flag is here. */
function addClientFlags(
  command: Command,
  timeout = "how long to wait for an answer (default: 30s)",
): Command {
  return command
    .option(
      "--address <HOST:PORT>",
      "the gateway, or its URL, or unix:/path; or LRO_GATEWAY_ADDRESS (default: 127.0.0.1:8080)",
    )
    .option(
      "--ca <FILE>",
      "PEM file with the authorities to trust for https://; or LRO_GATEWAY_CA (default: those of Node.js)",
    )
    .addOption(new Option("--output <FORMAT>", "how to print").choices(["table", "json"]).default("table"))
    .addOption(
      new Option("--protocol <NAME>", "how to call").choices(["grpc", "grpc-web", "connect"]).default("grpc"),
    )
    .option("--timeout <DURATION>", timeout)
    .option(
      "--token-file <FILE>",
      "file with an access token to send as the caller's; or LRO_GATEWAY_TOKEN_FILE",
    );
}

const EXIT_CODES = `
Exit codes:
  0  done; serve and emulator: ended by SIGTERM or SIGINT, after draining
  1  the gateway answered with an error, or something failed unexpectedly
  2  wrong arguments, configuration or rules; nothing was started or sent
  3  the address cannot be listened on
  4  no gateway answered, or not in time, or there is no TLS that can be trusted
  5  wait, watch, cancel --wait: the operation failed
  6  wait, watch: the operation was cancelled (cancel --wait: 0)
  7  wait, watch, cancel --wait: the time was up and the operation still ran
  8  wait, watch, cancel --wait: there is no such operation
  9  wait, watch: the operation is done and does not say how it went
  10  cancel --wait: the operation ended well all the same
  11  cancel --wait: the operation was done before
  128 + N  ended by signal N: wait, watch and cancel --wait by the first, serve and emulator by a second`;
