import { parseHostPort } from "../config/host-port.ts";
import { DEMO_DATASET } from "../emulator/operation-spec.ts";
import { startEmulator } from "../emulator/start-emulator.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog } from "../observe/log.ts";
import { commandLine } from "./command-line.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import type { CommandIo } from "./io.ts";
import { reachable } from "./lines-to-paste.ts";
import { type ProcessEvents, type Running, runUntilStopped } from "./run-until-stopped.ts";
import { explainStartFailure } from "./start-failure.ts";

/** Arguments of `emulator`. */
export interface EmulatorArguments {
  readonly listen: string;
  readonly demo: boolean;
}

/** `emulator`: runs the emulator of the Healthcare operations API alone until it is told to stop. */
export async function runEmulator(
  { listen, demo }: EmulatorArguments,
  io: CommandIo,
  process: ProcessEvents,
): Promise<number> {
  if (!parseHostPort(listen))
    throw new CommandError(
      `--listen: ${JSON.stringify(listen)} is not host:port, for example 127.0.0.1:8090${listen.startsWith("unix:") ? "; the emulator has no Unix socket, because upstream.endpoint cannot name one" : ""}`,
      EXIT.USAGE,
    );
  const log = createLog("info", 2);
  const start = async (): Promise<Running> => {
    const emulator = await startEmulator({ clock: systemClock, demo, listen }).catch((error: unknown) => {
      throw explainStartFailure(error, listen);
    });
    const { host } = new URL(emulator.endpoint);
    io.out(`emulator listening on ${host}\n${hints(`http://${reachable(host)}`, demo, io.program)}`);
    return { drain: () => emulator.close() };
  };
  return await runUntilStopped(start, log, process, systemClock.monotonic);
}

function hints(endpoint: string, demo: boolean, program: string): string {
  const list = ["curl", "-s", `${endpoint}/v1beta1/${DEMO_DATASET}/operations`];
  const serve = [program, "serve", "--upstream-endpoint", endpoint, "--upstream-credentials", "none"];
  const lines = demo ? [list, serve] : [serve];
  return `${lines.map((words) => `\n  ${commandLine(words)}\n`).join("")}\n`;
}
