import { toJson } from "@bufbuild/protobuf";
import {
  WatchOperationResponse_Kind as Kind,
  type WatchOperationResponse,
  WatchOperationResponseSchema,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { registry } from "../lib/any-registry.ts";
import { BarDisplay } from "./bar-display.ts";
import type { Display } from "./display.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { followOperation } from "./follow-operation.ts";
import { type ClientSettings, readClientSettings, readTimeout } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { LineDisplay, RemarkDisplay } from "./line-display.ts";
import { lossRemark } from "./loss-remark.ts";
import { endFollowing } from "./operation-end.ts";
import type { Loss } from "./reattach.ts";
import type { ProcessEvents } from "./run-until-stopped.ts";
import { StopWaiting } from "./stop-waiting.ts";
import { endCollection, watchCollection } from "./watch-collection.ts";

/** Ends like the name of an operation; anything else is a place to look for operations. */
const OPERATION_NAME = /(?:^|\/)operations\/[^/]+$/;

/**
 * `watch`: shows what an operation does until it is done, and tells by the exit code how it ended; or what all
 * operations of a dataset do, until it is stopped. A bar for each on a terminal, otherwise a line for each change, or
 * one JSON object for each message of the stream.
 */
export async function watch(
  target: string,
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
  process: ProcessEvents,
): Promise<number> {
  const settings = readClientSettings(options, io);
  const timeoutMs = readTimeout(options);
  const filter = options["filter"];
  const single = OPERATION_NAME.test(target);
  if (single && filter !== undefined)
    throw new CommandError("--filter: is for the operations of a dataset, not for one operation", EXIT.USAGE);
  const stop = new StopWaiting(process, io, timeoutMs);
  const display = openDisplay(settings, io, !single);
  const onLoss = (loss: Loss, delayMs: number): void => {
    const remark = lossRemark("watch", loss, delayMs);
    if (remark !== undefined) display.remark(remark);
  };
  const common = { settings, signal: stop.signal, onLoss };
  try {
    if (!single) {
      await watchCollection({ ...common, parent: target, filter: String(filter ?? ""), display, io });
      return endCollection(stop, io);
    }
    const onMessage = (message: WatchOperationResponse): void => {
      if (settings.output === "json") io.out(`${asJson(message)}\n`);
      const { kind, operation, state, progress, readTime } = message;
      if (kind === Kind.STATE) display.show({ name: target, operation, state, progress, readTime });
    };
    const last = await followOperation({ ...common, name: target, onMessage });
    display.close();
    return endFollowing({ command: "watch", name: target, settings, timeoutMs }, last, stop, io);
  } finally {
    stop.done();
    display.close();
  }
}

function openDisplay({ output }: ClientSettings, io: CommandIo, withNames: boolean): Display {
  if (output === "json") return new RemarkDisplay(io);
  return io.terminal ? new BarDisplay(io.terminal, withNames) : new LineDisplay(io, withNames);
}

function asJson(message: WatchOperationResponse): string {
  return JSON.stringify(toJson(WatchOperationResponseSchema, message, { registry }));
}
