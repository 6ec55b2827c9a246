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
  addClientFlags(
    define("cancel <name>", "ask for the cancellation of an operation", async ([name = ""], options) =>
      (await import("./cancel.ts")).cancel(name, options, io),
    ),
  );
}

/** The flags of every command that calls a gateway. */
function addClientFlags(command: Command): Command {
  return command
    .option(
      "--address <HOST:PORT>",
      "the gateway, or its URL; or LRO_GATEWAY_ADDRESS (default: 127.0.0.1:8080)",
    )
    .addOption(new Option("--output <FORMAT>", "how to print").choices(["table", "json"]).default("table"))
    .addOption(
      new Option("--protocol <NAME>", "how to call").choices(["grpc", "grpc-web", "connect"]).default("grpc"),
    )
    .option("--timeout <DURATION>", "how long to wait for an answer", "30s")
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
  4  no gateway answered, or not in time
  128 + N  ended at once by a second signal N`;
