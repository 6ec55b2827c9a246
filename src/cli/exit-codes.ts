/**
 * Exit codes of every command. Stable: scripts rely on them; `docs/cli.md` lists them.
 */
export const EXIT = {
  /** Done. For `serve` and `emulator`: ended by SIGTERM or SIGINT after draining. */
  OK: 0,
  /** The gateway answered with an error, or the process failed in a way that has no code of its own. */
  FAILED: 1,
  /** Wrong arguments, configuration or rules. Nothing was started or sent. */
  USAGE: 2,
  /** `serve` or `emulator` could not start: the address is in use, may not be used or does not exist. */
  CANNOT_START: 3,
  /** The operator's client got no answer from a gateway: none listens there, or not in time, or its TLS is not trusted. */
  NO_ANSWER: 4,
  /** `wait`, `watch`, `cancel --wait`: the operation ended with an error other than CANCELLED. */
  OPERATION_FAILED: 5,
  /** `wait`, `watch`: the operation ended cancelled. With `cancel --wait` that is what was asked for: 0. */
  OPERATION_CANCELLED: 6,
  /** `wait`, `watch`, `cancel --wait`: the time was up and the operation was not done. */
  STILL_RUNNING: 7,
  /** `wait`, `watch`, `cancel --wait`: there is no such operation. */
  NOT_FOUND: 8,
  /** `wait`, `watch`: the operation is done with neither response nor error, so how it went is not known. */
  NO_RESULT: 9,
  /** `cancel --wait`: the operation ended well all the same; the cancel came too late to matter. */
  COMPLETED: 10,
  /** `cancel --wait`: the operation was done before the cancel was sent. */
  ALREADY_DONE: 11,
} as const;

/** A failure that is told to the user as it is, without a stack, and ends the command with its code. */
export class CommandError extends Error {
  readonly exitCode: number;
  /** What stands before the message; nothing before JSON. */
  readonly prefix: string;

  constructor(message: string, exitCode: number, prefix = "lro-gateway: ") {
    super(message);
    this.name = "CommandError";
    this.exitCode = exitCode;
    this.prefix = prefix;
  }
}
