import type { Log } from "../observe/log.ts";
import { EXIT } from "./exit-codes.ts";
import { logWarnings, type WarningEvents } from "./log-warnings.ts";

/** Something that listens until it is told to stop. */
export interface Running {
  /** Ends what is under way in good order; resolves when nothing is left. Bounded in time by itself. */
  drain(): Promise<void>;
  /** Reads its TLS key pair again; absent when it has none. */
  readonly renewKeyPair?: (() => void) | undefined;
}

/** What is needed of the process. */
export interface ProcessEvents extends WarningEvents {
  on(event: "warning", listener: (warning: Error) => void): unknown;
  on(event: StopSignal, listener: () => void): unknown;
  on(event: "uncaughtException", listener: (error: Error) => void): unknown;
  exit(code: number): never;
}

/** A signal that may stop the process. */
export type StopSignal = "SIGTERM" | "SIGINT" | "SIGHUP";

/** Exit codes for a stop without draining, as shells count: 128 + the signal's number. */
export const SIGNAL_EXIT: Readonly<Record<StopSignal | "SIGPIPE", number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGPIPE: 141,
  SIGTERM: 143,
};

/**
 * A repeat within so many ms is one request to stop that reaches us twice: a terminal signals the whole process group,
 * and `npm start` and the launcher pass on what they get; systemd signals every process of a unit.
 */
const SAME_REQUEST_MS = 500;

/** How long a process with an unexpected failure may still drain, ms: what it answers meanwhile may be wrong. */
const MAX_DRAIN_AFTER_FAILURE_MS = 10_000;

/**
 * Starts something and keeps it until SIGTERM or SIGINT, then drains it. So does SIGHUP, which a closed terminal sends,
 * unless there is a TLS key pair to read again: that is what it asks a daemon for. Returns the exit code: 0, or 1 when the
 * process was ended by a failure that nothing caught (it is logged). A second signal ends the process at once. Signals
 * count from the beginning, so one that comes during the start stops what was started. Warnings of Node.js go into the log.
 */
export async function runUntilStopped(
  start: () => Promise<Running>,
  log: Log,
  process: ProcessEvents,
  monotonic: () => number,
): Promise<number> {
  logWarnings(process, log);
  let firstStop: number | undefined;
  const stop = Promise.withResolvers<number>();
  const onSignal = (signal: StopSignal): void => {
    if (firstStop === undefined) {
      firstStop = monotonic();
      log.info("draining", { signal });
      stop.resolve(EXIT.OK);
    } else if (monotonic() - firstStop > SAME_REQUEST_MS)
      void log.flush().then(() => process.exit(SIGNAL_EXIT[signal]));
  };
  process.on("SIGTERM", () => onSignal("SIGTERM"));
  process.on("SIGINT", () => onSignal("SIGINT"));
  let running: Running | undefined;
  let hangUp = false;
  process.on("SIGHUP", () => {
    if (!running) hangUp = true;
    else if (!running.renewKeyPair) onSignal("SIGHUP");
    else if (firstStop === undefined) running.renewKeyPair();
  });
  process.on("uncaughtException", (error) => {
    log.error("unexpected failure; draining", { error });
    stop.resolve(EXIT.FAILED);
    // A stop that is already under way keeps its code, but not its time.
    void forceEnd(log, process);
  });
  running = await start();
  // What was just read need not be read again.
  if (hangUp && !running.renewKeyPair) onSignal("SIGHUP");
  const code = await stop.promise;
  await running.drain();
  log.info("drained");
  await log.flush();
  return code;
}

/** Ends the process a while after a failure, whatever drain() does. */
function forceEnd(log: Log, process: ProcessEvents): void {
  setTimeout(
    () => void log.flush().then(() => process.exit(EXIT.FAILED)),
    MAX_DRAIN_AFTER_FAILURE_MS,
  ).unref();
}
