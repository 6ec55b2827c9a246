import type { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { ServiceHandlers } from "../rpc/handler.ts";
import { cancelAndWait } from "../waiting/cancel/cancel-and-wait.ts";
import type { WaitingEngine } from "../waiting/engine.ts";
import { aboutParent } from "./about-parent.ts";
import { timeoutMs } from "./wait-timeout.ts";

/** The handlers of lrogateway.v1.OperationWatcher. */
export function createWatcherHandlers(engine: WaitingEngine): ServiceHandlers<typeof OperationWatcher> {
  return {
    watchOperation: (request, call) => engine.watchOperation(request.name, call),
    watchOperations: ({ parent, filter }, call) => {
      try {
        return engine.watchOperations(parent, filter, call);
      } catch (cause) {
        throw aboutParent(cause);
      }
    },
    cancelAndWait: (request, call) => cancelAndWait(engine, request.name, timeoutMs(request.timeout), call),
  };
}
