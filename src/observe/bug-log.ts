import { Code, type ConnectError } from "@connectrpc/connect";
import { failureFacts } from "../errors/failure-facts.ts";
import type { Reason } from "../errors/reasons.ts";
import type { Log } from "./log.ts";
import type { CallObserver, HttpRefused, ObservedCall, ObservedRefusal } from "./observed-call.ts";

/**
 * Writes what went wrong in the gateway itself, once for each call that ended with GATEWAY_BUG: its caller was told
 * no more than a request id, which leads here.
 */
export class BugLog implements CallObserver {
  readonly #log: Pick<Log, "error">;

  constructor(log: Pick<Log, "error">) {
    this.#log = log;
  }

  finished(call: ObservedCall, error: ConnectError | undefined): void {
    if (error === undefined || !isBug(error)) return;
    const { method, protocol, requestId, trace } = call;
    const name = `${method.parent.typeName}/${method.name}`;
    this.#write(error, { method: name, protocol, requestId, ...(trace && { trace_id: trace.traceId }) });
  }

  refused({ requestId }: ObservedRefusal, why: HttpRefused | ConnectError): void {
    if (!("httpStatus" in why) && isBug(why)) this.#write(why, { method: "_OTHER", requestId });
  }

  #write(error: ConnectError, fields: Readonly<Record<string, string>>): void {
    this.#log.error("the gateway failed in a way it should not", { ...fields, cause: describe(error.cause) });
  }
}

function isBug(error: ConnectError): boolean {
  return error.code === Code.Internal && failureFacts(error).reason === ("GATEWAY_BUG" satisfies Reason);
}

/** How deep causes are followed; a chain may be a ring. */
const MAX_CAUSES = 5;

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
  const frames = stack.search(/\n\s+at /);
  const message = frames < 0 ? stack : stack.slice(0, frames);
  const safe = message
    .replace(/"[\s\S]*"/, '"…"')
    .replace(/`[\s\S]*`/, "`…`")
    .replace(/(?<!reading |setting )'[\s\S]*'/, "'…'");
  return frames < 0 ? safe : safe + stack.slice(frames);
}
