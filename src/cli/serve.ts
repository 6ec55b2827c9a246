import type { Config } from "../config/config.ts";
import type { RunningEmulator } from "../emulator/start-emulator.ts";
import { startGateway } from "../gateway.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog, type Log } from "../observe/log.ts";
import { configure, type Loaded } from "./configure.ts";
import type { CommandIo } from "./io.ts";
import { type ProcessEvents, type Running, runUntilStopped } from "./run-until-stopped.ts";
import { explainStartFailure } from "./start-failure.ts";
import { packageVersion } from "./version.ts";

/** Log lines go to stderr, so that stdout holds only what people and scripts wait for. */
const STDERR = 2;

const EMULATOR_NOTICE = `
****************************************************************************
*  EMBEDDED EMULATOR: upstream.endpoint is not set, so every operation     *
*  you see is made up, and nothing reaches Google Cloud.                   *
*  For the real API: --upstream-endpoint https://healthcare.googleapis.com *
****************************************************************************

`;

/** `serve`: runs the gateway until it is told to stop; without an endpoint, on an embedded emulator. */
export async function serve(
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
  process: ProcessEvents,
): Promise<number> {
  const loaded = configure(options, io);
  const log = createLog(loaded.config.log.level, STDERR);
  return await runUntilStopped(() => start(loaded, io, log), log, process, systemClock.monotonic);
}

async function start({ config, origins }: Loaded, io: CommandIo, log: Log): Promise<Running> {
  const emulator = config.upstream.endpoint === undefined ? await embedEmulator() : undefined;
  try {
    const gateway = await startGateway(withUpstream(config, emulator), {
      clock: systemClock,
      log,
      random: Math.random,
      version: packageVersion(),
    });
    if (emulator) io.out(EMULATOR_NOTICE);
    io.out(`listening on ${gateway.address}\n`);
    if (emulator) io.out((await import("./lines-to-paste.ts")).linesToPaste(gateway.address));
    return { drain: () => gateway.drain().finally(() => emulator?.close()) };
  } catch (error) {
    await emulator?.close();
    throw explainStartFailure(error, config.listen, origins);
  }
}

/** Loads the emulator only where it is wanted. */
async function embedEmulator(): Promise<RunningEmulator> {
  const { startEmulator } = await import("../emulator/start-emulator.ts");
  return await startEmulator({ clock: systemClock, demo: true, listen: "127.0.0.1:0" });
}

/** The configuration with the embedded emulator as its upstream; no proxy stands between the two. */
function withUpstream(config: Config, emulator: RunningEmulator | undefined): Config {
  if (!emulator) return config;
  return { ...config, upstream: { ...config.upstream, endpoint: emulator.endpoint, proxy: undefined } };
}
