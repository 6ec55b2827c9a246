import { WatchOperationResponse_Kind as Kind } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { BarDisplay } from "./bar-display.ts";
import { followOperation } from "./follow-operation.ts";
import { readClientSettings, readTimeout } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { RemarkDisplay } from "./line-display.ts";
import { lossRemark } from "./loss-remark.ts";
import { endFollowing } from "./operation-end.ts";
import { printOperation } from "./print-operation.ts";
import type { ProcessEvents } from "./run-until-stopped.ts";
import { StopWaiting } from "./stop-waiting.ts";

/**
 * `wait`: waits until an operation is done, prints it, and tells by the exit code how it ended. Follows the operation
 * as a stream, which passes proxies that cut silent calls, and attaches again when it is cut all the same.
 */
export async function wait(
  name: string,
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
  process: ProcessEvents,
): Promise<number> {
  const settings = readClientSettings(options, io);
  const timeoutMs = readTimeout(options);
  const stop = new StopWaiting(process, io, timeoutMs);
  const drawn = settings.output === "table" && io.terminal;
  const display = drawn ? new BarDisplay(drawn, false) : new RemarkDisplay(io);
  const last = await followOperation({
    name,
    settings,
    signal: stop.signal,
    onMessage: ({ kind, operation, state, progress, readTime }) => {
      if (kind === Kind.STATE) display.show({ name, operation, state, progress, readTime });
    },
    onLoss: (loss, delayMs) => {
      const remark = lossRemark("wait", loss, delayMs);
      if (remark !== undefined) display.remark(remark);
    },
  }).finally(() => {
    stop.done();
    display.close();
  });
  if (last?.operation) printOperation(last.operation, settings.output, io);
  return endFollowing({ command: "wait", name, settings, timeoutMs }, last, stop, io);
}
