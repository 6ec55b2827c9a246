import type { CallObserver } from "../observe/observed-call.ts";
import type { Stages } from "../rpc/stages.ts";

/** Hooks observers into the path of calls; no stage at all when there are none. */
export function observerStages(observers: readonly CallObserver[]): Stages {
  if (observers.length === 0) return {};
  return {
    finished(call, error) {
      for (const observer of observers) observer.finished(call, error);
    },
    refused({ peer, httpVersion }, why, requestId) {
      for (const observer of observers) observer.refused({ peer, httpVersion, requestId }, why);
    },
  };
}
