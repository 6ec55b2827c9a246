import type { WatchOperationResponse } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { formatDuration } from "../config/duration.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { exitCodeOf } from "./follow-operation.ts";
import type { ClientSettings } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { SIGNAL_EXIT } from "./run-until-stopped.ts";
import type { StopWaiting } from "./stop-waiting.ts";

/** A command that followed an operation, as the user gave it. */
export interface FollowingCommand {
  readonly command: "wait" | "watch";
  readonly name: string;
  readonly settings: ClientSettings;
  /** `--timeout`; `undefined`: without end. */
  readonly timeoutMs: number | undefined;
}

/**
 * The exit code of a command that followed an operation to its end, to the end of its time or to a signal; says on
 * stderr what the code alone does not.
 *
 * @throws CommandError when the time was up before anything was read.
 */
export function endFollowing(
  { command, name, settings, timeoutMs }: FollowingCommand,
  last: WatchOperationResponse | undefined,
  stop: StopWaiting,
  io: CommandIo,
): number {
  stop.done();
  const goOn = `go on with: ${settings.lineFor(command, name)}`;
  const code = last && exitCodeOf(last.state);
  if (code !== undefined) return code;
  if (stop.reason === "SIGINT" || stop.reason === "SIGTERM") {
    const doing = command === "wait" ? "waiting" : "watching";
    io.err(`Stopped ${doing}. The operation is left alone; ${goOn}\n`);
    return SIGNAL_EXIT[stop.reason];
  }
  if (stop.reason === "SIGPIPE") return SIGNAL_EXIT.SIGPIPE;
  const after = formatDuration(timeoutMs ?? 0);
  if (!last)
    throw new CommandError(`no state of the operation could be read within ${after}`, EXIT.NO_ANSWER);
  io.err(`The operation still runs after ${after}; ${goOn}\n`);
  return EXIT.STILL_RUNNING;
}
