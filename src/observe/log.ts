import { pino } from "pino";
import type { LogLevel } from "../config/config.ts";
import { scrub } from "./scrub.ts";

/** What may stand beside a message: flat, so that nobody logs a whole request by accident. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined | Error>>;

/**
 * The process's log: one JSON object a line, with `severity` and `message` as Google Cloud Logging reads them
 * (https://cloud.google.com/logging/docs/structured-logging). Never holds resource names, bodies or credentials: what
 * looks like one is cut out of every text.
 */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether lines of this level are written; ask before making costly fields. */
  enabled(level: Exclude<LogLevel, "silent">): boolean;
  /** Writes lines of the log's format that are complete, whatever the level. Never blocks. */
  write(lines: string): void;
  /** Resolves when what is buffered has been written, before the process ends; a stuck reader is not waited for. */
  flush(): Promise<void>;
}

/** Log lines wait in memory at most so long (bytes) while the reader of the log is stuck; newer ones are dropped then. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

const SEVERITIES: Readonly<Record<string, string>> = {
  debug: "DEBUG",
  info: "INFO",
  warn: "WARNING",
  error: "ERROR",
};

/** Opens the log on a file descriptor (2 is stderr). Writing never blocks a call and never fails it. */
export function createLog(level: LogLevel, fd: number): Log {
  // With a minLength of 0 the destination's flush() does not wait for the write that is under way.
  const destination = pino.destination({ fd, sync: false, minLength: 1, maxLength: MAX_BUFFERED_BYTES });
  // A reader that went away must not take the gateway with it.
  destination.on("error", () => {});
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: "message",
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ severity: SEVERITIES[label] ?? label.toUpperCase() }),
        log: safeFields,
      },
    },
    destination,
  );
  return {
    debug: (message, fields = {}) => logger.debug(fields, scrub(message)),
    info: (message, fields = {}) => logger.info(fields, scrub(message)),
    warn: (message, fields = {}) => logger.warn(fields, scrub(message)),
    error: (message, fields = {}) => logger.error(fields, scrub(message)),
    enabled: (wanted) => logger.isLevelEnabled(wanted),
    write: (lines) => void destination.write(lines),
    flush: () => flush(destination),
  };
}

/** Fields as they are written: texts scrubbed, errors as code and scrubbed stack with their causes. */
function safeFields(fields: Record<string, unknown>): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") safe[name] = scrub(value);
    else if (value instanceof Error) safe[name] = describe(value, MAX_CAUSES);
    else if (typeof value === "number" || typeof value === "boolean") safe[name] = value;
  }
  return safe;
}

/** How deep the causes of an error are followed; a chain may be a ring. */
const MAX_CAUSES = 5;

function describe(error: Error, depth: number): Record<string, unknown> {
  const code = "code" in error ? error.code : undefined;
  return {
    type: error.name,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    stack: scrub(error.stack ?? error.message),
    ...(error.cause instanceof Error && depth > 0 ? { cause: describe(error.cause, depth - 1) } : {}),
  };
}

/** How long the end of the process waits for the reader of the log, ms. */
const MAX_FLUSH_MS = 500;

function flush(destination: ReturnType<typeof pino.destination>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      // Pino would try it again when the process exits, and again, until somebody reads.
      destination.flushSync = () => {};
      resolve();
    }, MAX_FLUSH_MS);
    // An error means that the reader is gone: nothing is left to write to.
    destination.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
