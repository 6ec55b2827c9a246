import type { CallObserver } from "../observe/observed-call.ts";
import type { Stages } from "./stages.ts";

/** Hooks observers into the path of calls; no stage at all when there are none. */
export function observerStages(observers: readonly CallObserver[]): Stages {
  if (observers.length === 0) return {};
  return {
    finished(call, error) {
      const code = error === undefined ? 0 : error.code;
      for (const observer of observers) observer.finished(call, code);
    },
    refused(carrier, why) {
      const verdict = typeof why === "number" ? { httpStatus: why } : { code: why.code };
      for (const observer of observers) observer.refused(carrier, verdict);
    },
  };
}
