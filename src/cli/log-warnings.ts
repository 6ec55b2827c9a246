import type { Log } from "../observe/log.ts";

/** What is needed of the process. */
export interface WarningEvents {
  on(event: "warning", listener: (warning: Error) => void): unknown;
  removeAllListeners(event: "warning"): unknown;
}

/**
 * Writes what Node.js and libraries warn of (https://nodejs.org/api/process.html#event-warning) as lines of the log.
 * Node's own listener, which is taken away, prints text into the midst of the JSON on stderr.
 */
export function logWarnings(process: WarningEvents, log: Pick<Log, "warn">): void {
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    const code: unknown = Reflect.get(warning, "code");
    log.warn("a warning of Node.js or of a library", {
      warning: warning.name,
      code: typeof code === "string" ? code : undefined,
      detail: warning.message,
    });
  });
}
