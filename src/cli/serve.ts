import { statSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Config, TlsConfig } from "../config/config.ts";
import type { RunningEmulator } from "../emulator/start-emulator.ts";
import { startGateway } from "../gateway.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog, type Log } from "../observe/log.ts";
import { configure, type Loaded } from "./configure.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { handedPort } from "./hand-over.ts";
import type { CommandIo } from "./io.ts";
import { type ProcessEvents, type Running, runUntilStopped } from "./run-until-stopped.ts";
import { explainStartFailure } from "./start-failure.ts";
import { packageVersion } from "./version.ts";
import { createMetricsPeers } from "./worker-metrics.ts";
import { EMULATOR_VARIABLE, isWorker, startWorkers, tellServing } from "./workers.ts";

/** Log lines go to stderr, so that stdout holds only what people and scripts wait for. */
const STDERR = 2;

const EMULATOR_NOTICE = `
****************************************************************************
*  EMBEDDED EMULATOR: upstream.endpoint is not set, so every operation     *
*  you see is made up, and nothing reaches Google Cloud.                   *
*  For the real API: --upstream-endpoint https://healthcare.googleapis.com *
****************************************************************************

`;

/**
 * `serve`: runs the gateway until it is told to stop, in one process or in several; without an endpoint, on an embedded
 * emulator.
 */
export async function serve(
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
  process: ProcessEvents,
): Promise<number> {
  const loaded = configure(options, io);
  const log = createLog(loaded.config.log.level, STDERR);
  const { workers } = loaded.config;
  const count = workers === "auto" ? availableParallelism() : workers;
  if (count > 1) checkReadableAgain(loaded.file);
  const start = (): Promise<Running> => {
    if (isWorker()) return startWorker(loaded, io, log);
    return withEmulator(loaded.config, (emulator) => {
      const announce = (address: string) => announceGateway(io, address, emulator, loaded.config.tls);
      return count > 1
        ? startProcesses(count, loaded, log, emulator, announce)
        : startHere(loaded, log, emulator, announce);
    });
  };
  return await runUntilStopped(start, log, process, systemClock.monotonic);
}

/** Each of several processes reads the configuration: of a pipe the second would get nothing, and serve something else. */
function checkReadableAgain(file: string | undefined): void {
  if (file === undefined || statSync(file, { throwIfNoEntry: false })?.isFile()) return;
  throw new CommandError(
    `--config: ${file} is not a regular file; each worker reads it, so it has to be one, or workers: 1`,
    EXIT.USAGE,
  );
}

/** Starts something that may need the embedded emulator, and ends the two together. */
async function withEmulator(
  config: Config,
  start: (emulator: RunningEmulator | undefined) => Promise<Running>,
): Promise<Running> {
  const emulator = config.upstream.endpoint === undefined ? await embedEmulator() : undefined;
  try {
    const running = await start(emulator);
    return {
      drain: () => running.drain().finally(() => emulator?.close()),
      renewKeyPair: running.renewKeyPair,
    };
  } catch (error) {
    await emulator?.close();
    throw error;
  }
}

async function startProcesses(
  count: number,
  { config: { listen, drain, tls }, origins }: Loaded,
  log: Log,
  emulator: RunningEmulator | undefined,
  announce: (address: string) => Promise<void>,
): Promise<Running> {
  try {
    const pool = await startWorkers({
      count,
      listen,
      emulator: emulator?.endpoint,
      drainMs: drain.lameDuck + drain.timeout,
      clock: systemClock,
      log,
      listening: (address) => void announce(address),
    });
    const hangUp = tls.certificate === undefined ? undefined : () => pool.hangUp();
    return { drain: () => pool.drain(), renewKeyPair: hangUp };
  } catch (error) {
    throw explainStartFailure(error, listen, origins);
  }
}

/** One of several processes: its primary announces the address, and has the emulator. */
async function startWorker(loaded: Loaded, io: CommandIo, log: Log): Promise<Running> {
  const endpoint = io.env[EMULATOR_VARIABLE];
  return await startHere(loaded, log, endpoint === undefined ? undefined : { endpoint }, async () =>
    tellServing(),
  );
}

async function startHere(
  { config, origins }: Loaded,
  log: Log,
  emulator: Pick<RunningEmulator, "endpoint"> | undefined,
  announce: (address: string) => Promise<void>,
): Promise<Running> {
  try {
    const gateway = await startGateway(withUpstream(config, emulator), {
      clock: systemClock,
      log,
      random: Math.random,
      version: packageVersion(),
      openPort: handedPort(config.listen),
      metricsPeers: createMetricsPeers(systemClock),
    });
    await announce(gateway.address);
    return gateway;
  } catch (error) {
    throw explainStartFailure(error, config.listen, origins);
  }
}

async function announceGateway(
  io: CommandIo,
  address: string,
  emulator: object | undefined,
  tls: TlsConfig,
): Promise<void> {
  if (emulator) io.out(EMULATOR_NOTICE);
  io.out(`listening on ${address}\n`);
  if (!emulator) return;
  const { linesToPaste } = await import("./lines-to-paste.ts");
  io.out(linesToPaste({ address, tls, program: io.program }));
}

/** Loads the emulator only where it is wanted. */
async function embedEmulator(): Promise<RunningEmulator> {
  const { startEmulator } = await import("../emulator/start-emulator.ts");
  return await startEmulator({ clock: systemClock, demo: true, listen: "127.0.0.1:0" });
}

/** The configuration with the embedded emulator as its upstream; no proxy stands between the two. */
function withUpstream(config: Config, emulator: Pick<RunningEmulator, "endpoint"> | undefined): Config {
  if (!emulator) return config;
  return { ...config, upstream: { ...config.upstream, endpoint: emulator.endpoint, proxy: undefined } };
}
