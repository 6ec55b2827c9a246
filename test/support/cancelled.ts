import type { OperationsApi, UpstreamCall } from "../../src/upstream/operations-api.ts";
import type { PlainAnswer } from "../../src/waiting/cancel/plain-cancel.ts";
import type { WaitingEngine } from "../../src/waiting/engine.ts";

/** What the upstream said to a cancel, as a promise. */
export function cancelled(
  api: Pick<OperationsApi, "cancel">,
  name: string,
  call: UpstreamCall,
): Promise<void> {
  const settled = Promise.withResolvers<void>();
  api.cancel(name, call, settled);
  return settled.promise;
}

/** What the engine knows of a plain cancel, before it is made a caller's answer. */
export function plainCancel(engine: WaitingEngine, name: string, call: UpstreamCall): Promise<PlainAnswer> {
  return engine.cancel(name, call, (plain) => plain);
}
