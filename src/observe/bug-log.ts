import { Code, ConnectError } from "@connectrpc/connect";
import { failureFacts } from "../errors/failure-facts.ts";
import type { Reason } from "../errors/reasons.ts";
import type { Log } from "./log.ts";
import type { CallObserver, HttpRefused, ObservedCall, ObservedRefusal } from "./observed-call.ts";

/**
 * Writes what went wrong in the gateway itself, once for each call that ended for it: with GATEWAY_BUG, or with an error
 * that has it inside, as that of a wait has whose reads failed. Its caller was told no more than a request id, which
 * leads here.
 */
export class BugLog implements CallObserver {
  readonly #log: Pick<Log, "error">;

  constructor(log: Pick<Log, "error">) {
    this.#log = log;
  }

  finished(call: ObservedCall, error: ConnectError | undefined): void {
    const bug = error && bugIn(error);
    if (bug === undefined) return;
    const { method, protocol, requestId, trace } = call;
    const name = `${method.parent.typeName}/${method.name}`;
    this.#write(bug, { method: name, protocol, requestId, ...(trace && { trace_id: trace.traceId }) });
  }

  refused({ requestId }: ObservedRefusal, why: HttpRefused | ConnectError): void {
    const bug = "httpStatus" in why ? undefined : bugIn(why);
    if (bug) this.#write(bug, { method: "_OTHER", requestId });
  }

  #write(bug: ConnectError, fields: Readonly<Record<string, string>>): void {
    this.#log.error("the gateway failed in a way it should not", { ...fields, cause: describe(bug.cause) });
  }
}

/** How deep causes are followed; a chain may be a ring. */
const MAX_CAUSES = 5;

/** The GATEWAY_BUG that an error is, or has inside. */
function bugIn(error: ConnectError): ConnectError | undefined {
  let inner: unknown = error;
  for (let depth = 0; inner instanceof ConnectError && depth < MAX_CAUSES; depth++) {
    if (inner.code === Code.Internal && failureFacts(inner).reason === ("GATEWAY_BUG" satisfies Reason))
      return inner;
    inner = inner.cause;
  }
  return undefined;
}

/** An error and its causes with their stacks, without what they quote. */
function describe(cause: unknown, depth = 0): string {
  if (!(cause instanceof Error)) return `no Error but ${cause === null ? "null" : typeof cause} was thrown`;
  const text = withoutQuotations(cause.stack ?? `${cause.name}: ${cause.message}`);
  return cause.cause === undefined || depth === MAX_CAUSES
    ? text
    : `${text}\ncaused by ${describe(cause.cause, depth + 1)}`;
}

/**
 * Errors of parsers and codecs quote what they could not read, and that may be a body: everything between the first
 * quotation mark of a message and its last goes. What stays is the name of a property that could not be read.
 */
function withoutQuotations(stack: string): string {
  const frames = stack.search(/\n[^\S\n]+at /);
  const message = frames < 0 ? stack : stack.slice(0, frames);
  const safe = message
    .replace(/"[\s\S]*"/, '"…"')
    .replace(/`[\s\S]*`/, "`…`")
    .replace(/(?<!reading |setting )'[\s\S]*'/, "'…'");
  return frames < 0 ? safe : safe + stack.slice(frames);
}
